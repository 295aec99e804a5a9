// Points so far, for whoever asks.
const points = [];

export default {
  async fetch(request) {
    if (request.method === "POST") {
      points.push(await request.json());
      return new Response();
    }
    return Response.json(points);
  },
};
