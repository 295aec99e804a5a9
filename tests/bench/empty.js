export default { fetch: () => new Response('{"error":"refused"}', { status: 401, headers: { "content-type": "application/json" } }) };
