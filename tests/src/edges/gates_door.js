// Where other locations reach the gates.
export default {
  fetch(request, env) {
    const gate = env.GATES.get(env.GATES.idFromName(request.headers.get("x-gate")));
    return gate.fetch(request);
  },
};
