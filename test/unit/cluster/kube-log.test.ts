import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { reflectorLog } from "../../../src/cluster/kube-log.ts";
import { rejection } from "../../../src/kubernetes/answer.ts";
import { KubeError } from "../../../src/kubernetes/kube-error.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function bench() {
  const clock = new FakeClock();
  const logged: string[] = [];
  const log = pino(
    { base: null, level: "debug", formatters: { level: (level) => ({ level }) } },
    {
      write: (line) => {
        const { level, msg } = JSON.parse(line) as { level: string; msg: string };
        logged.push(`${level} ${msg}`);
      },
    },
  );
  const observer = reflectorLog(log, "VMIs", clock);
  return { clock, observer, warnings: () => logged.splice(0).filter((line) => line.startsWith("warn")) };
}

const answer = (status: number): KubeError => rejection({ status, headers: {}, body: "no" }, "the list");

test("a denial is a warning after the server has had time to read its rules", async () => {
  const { clock, observer, warnings } = bench();
  observer.denied(answer(403));
  await clock.advance(9_000);
  observer.denied(answer(403));
  assert.deepEqual(warnings(), []);
  await clock.advance(1_000);
  observer.denied(answer(403));
  observer.denied(answer(403));
  assert.deepEqual(warnings(), ["warn the list: 403 no; the last known state stays active"]);
  observer.denied(answer(401));
  assert.deepEqual(warnings(), ["warn the list: 401 no; the last known state stays active"]);
  observer.resumed();
  await clock.advance(300_000);
  observer.denied(answer(403));
  assert.deepEqual(warnings(), []);
});

test("objects that are too large are one warning every five minutes", async () => {
  const { clock, observer, warnings } = bench();
  const listed = { objects: 3, missed: 0, tooLarge: 0, peakBytes: 2_000 };
  observer.listed(listed);
  assert.deepEqual(warnings(), []);
  observer.listed({ ...listed, tooLarge: 1 });
  observer.listed({ ...listed, tooLarge: 1 });
  assert.deepEqual(warnings(), ["warn objects over 4 MiB in a list: they are left out, the others are used"]);
  await clock.advance(300_000);
  observer.listed({ ...listed, tooLarge: 1 });
  assert.equal(warnings().length, 1);
});

test("a forgotten version and a cut watch are not warnings, and an outage is one every five minutes", async () => {
  const { clock, observer, warnings } = bench();
  observer.interrupted(answer(410));
  observer.interrupted(new KubeError("E_KUBE_CLOSED", "it broke off"));
  assert.deepEqual(warnings(), []);
  for (let minute = 0; minute < 6; minute++) {
    observer.interrupted(new KubeError("E_KUBE_UNREACHABLE", "no server"));
    await clock.advance(60_000);
  }
  assert.equal(warnings().length, 2);
});

test("a cluster without KubeVirt causes a warning with the remedy", () => {
  const { observer, warnings } = bench();
  observer.interrupted(answer(404));
  assert.deepEqual(warnings(), [
    "warn the list: 404 no; this cluster does not have the kind: are KubeVirt and the chart's definitions installed?",
  ]);
});
