import { assertEquals } from "@std/assert";
import { VirtualClock } from "../../core/clock.ts";
import { Dom0Timeline } from "../../core/dom0.ts";
import { runUntil } from "../helpers/pc_devices.ts";
import { DOM0_COST } from "../../core/types.ts";

function makeDom0() {
  const clock = new VirtualClock();
  const dom0 = new Dom0Timeline(clock);
  const ended: [string, number][] = [];
  const post = (name: string, cost: number) =>
    dom0.post(DOM0_COST.backend, cost, () => ended.push([name, clock.now]));
  return { clock, dom0, ended, post };
}

Deno.test("Dom0Timeline.post() runs one task after the other", () => {
  const { clock, ended, post } = makeDom0();
  post("a", 100);
  post("b", 50);
  runUntil(clock, 120);
  post("c", 10);
  runUntil(clock, 1000);
  post("d", 5);
  runUntil(clock, 2000);
  assertEquals(ended, [["a", 100], ["b", 150], ["c", 160], ["d", 1005]]);
});

Deno.test("Dom0Timeline.post() returns before the task runs, even at no cost", () => {
  const { clock, ended, post } = makeDom0();
  post("a", 0);
  assertEquals(ended, []);
  runUntil(clock, 0);
  assertEquals(ended, [["a", 0]]);
});

Deno.test("Dom0Timeline.charge() delays what is queued and what is posted later", () => {
  const { clock, dom0, ended, post } = makeDom0();
  dom0.post(DOM0_COST.backend, 100, () => {
    dom0.charge(DOM0_COST.grantMap, 30);
    post("c", 1);
  });
  post("b", 10);
  runUntil(clock, 1000);
  assertEquals(ended, [["b", 140], ["c", 141]]);
  const { backend, grantMap } = dom0.snapshot();
  assertEquals([backend, grantMap], [111, 30]);
});

Deno.test("Dom0Timeline.serve() makes the vCPU wait for earlier tasks, and later tasks for it", () => {
  const { clock, dom0, ended, post } = makeDom0();
  post("a", 100);
  assertEquals(dom0.serve(DOM0_COST.ioreq, 40), 100);
  post("b", 5);
  runUntil(clock, 1000);
  assertEquals(ended, [["a", 100], ["b", 145]]);
  assertEquals(dom0.serve(DOM0_COST.ioreq, 40), 0);
});

Deno.test("Dom0Timeline.servesDisk is about the task at hand", () => {
  const { clock, dom0 } = makeDom0();
  assertEquals(dom0.servesDisk, false);
  dom0.post(DOM0_COST.xenstore, 10, () => {});
  dom0.post(DOM0_COST.blockLayer, 10, () => {});
  assertEquals(dom0.servesDisk, false);
  runUntil(clock, 10);
  assertEquals(dom0.servesDisk, true);
  runUntil(clock, 20);
  assertEquals(dom0.servesDisk, false);
});
