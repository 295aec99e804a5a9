// An Analytics Engine data set that keeps its points.
export default function analytics(env) {
  return {
    writeDataPoint: (point) => void env.sink.fetch("http://sink/", { method: "POST", body: JSON.stringify(point) }),
  };
}
