// A Worker that passes on what another server sends, and does nothing else.

export default { fetch: (_, env) => fetch(env.CONTROL_URL) };
