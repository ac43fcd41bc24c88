import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "../../../src/lib/histogram.ts";
import { formatMetrics, type Metric } from "../../../src/observability/metric.ts";

function text(metric: Partial<Metric<undefined>> & Pick<Metric<undefined>, "read">): string {
  return formatMetrics(
    [{ title: "", metrics: [{ name: "m", type: "gauge", help: "what it is", ...metric }] }],
    undefined,
  );
}

test("a single number is written without labels", () => {
  assert.equal(text({ read: () => 1.5 }), "# HELP m what it is\n# TYPE m gauge\nm 1.5\n");
});

test("label values are escaped", () => {
  const read: Metric<undefined>["read"] = () => [
    [1, 'a"b\\c\nd', "x"],
    [2, "", "y"],
  ];
  assert.equal(
    text({ labels: ["target", "state"], read }),
    '# HELP m what it is\n# TYPE m gauge\nm{target="a\\"b\\\\c\\nd",state="x"} 1\nm{target="",state="y"} 2\n',
  );
});

test("infinities and NaN are written as Prometheus expects", () => {
  assert.match(text({ read: () => Infinity }), /^m \+Inf$/m);
  assert.match(text({ read: () => -Infinity }), /^m -Inf$/m);
  assert.match(text({ read: () => NaN }), /^m NaN$/m);
});

test("a metric without a value is left out with its HELP and TYPE", () => {
  assert.equal(text({ read: () => undefined }), "");
  assert.equal(text({ labels: ["target"], read: () => [] }), "");
});

test("a histogram is written as buckets, sum and count", () => {
  const histogram = new Histogram([0.1, 1]);
  for (const value of [0.05, 0.5, 3]) histogram.observe(value);
  assert.equal(
    text({ type: "histogram", read: () => histogram }),
    '# HELP m what it is\n# TYPE m histogram\nm_bucket{le="0.1"} 1\nm_bucket{le="1"} 2\nm_bucket{le="+Inf"} 3\nm_sum 3.55\nm_count 3\n',
  );
});
