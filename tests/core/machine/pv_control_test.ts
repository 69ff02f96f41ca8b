import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../core/errors.ts";
import { HVM_PARAM, HvmParams } from "../../../core/hypervisor/hypercalls/hvm_params.ts";
import { XenStore } from "../../../core/hypervisor/xenstore/xenstore.ts";
import { PvControl } from "../../../core/machine/pv_control.ts";
import { HandClock } from "../../helpers/xen_guest.ts";

const CONTROL = "/local/domain/7/control";

/** A guest that has PV drivers, and listens. */
function newControl() {
  const clock = new HandClock();
  const store = new XenStore().client();
  const params = new HvmParams();
  params.set(HVM_PARAM.CALLBACK_IRQ, 0x0200_0000_0000_00f3n);
  for (const feature of ["poweroff", "reboot", "suspend"]) {
    store.write(`${CONTROL}/feature-${feature}`, "1");
  }
  const told: string[] = [];
  const tell = (line: string) => told.push(line);
  const control = new PvControl({ clock, store, domid: 7, params, tell });
  return { clock, store, params, control, told, node: () => store.read(`${CONTROL}/shutdown`) };
}

Deno.test("PvControl.request() writes control/shutdown and waits for the guest to clear it", () => {
  for (const request of ["poweroff", "halt", "reboot", "suspend"] as const) {
    const { clock, store, control, node } = newControl();
    control.request(request);
    assertEquals([node(), clock.armed], [request, 1]);
    store.write(`${CONTROL}/shutdown`, "");
    assertEquals(clock.armed, request === "suspend" ? 1 : 0);
    control.close();
    assertEquals(clock.armed, 0);
  }
});

Deno.test("PvControl.request() says so when a guest acknowledges and does not suspend", () => {
  const { clock, store, control, told } = newControl();
  control.request("suspend");
  store.write(`${CONTROL}/shutdown`, "");
  clock.moveTo(60e9);
  assertEquals(told[1], "libxl: error: guest did not suspend, timed out");
});

Deno.test("PvControl.request() says so when the guest does not acknowledge in a minute", () => {
  const { clock, control, told, node } = newControl();
  control.request("reboot");
  clock.moveTo(59e9);
  assertEquals(told, ["Rebooting domain 7"]);
  clock.moveTo(60e9);
  assertEquals(told[1], "libxl: error: guest didn't acknowledge control request: reboot");
  assertEquals(node(), "reboot");
});

Deno.test("PvControl.request() takes back a suspend that is not acknowledged", () => {
  const { clock, control, told, node } = newControl();
  control.request("suspend");
  clock.moveTo(60e9);
  assertEquals(told[1], "libxl: error: guest didn't acknowledge suspend, cancelling request");
  assertEquals(node(), "");
});

Deno.test("PvControl.request() replaces one that the guest has not taken", () => {
  const { clock, store, control, told, node } = newControl();
  control.request("suspend");
  clock.moveTo(30e9);
  control.request("poweroff");
  clock.moveTo(61e9);
  assertEquals([node(), clock.armed, told.length], ["poweroff", 1, 2]);
  store.remove(`${CONTROL}/shutdown`);
  assertEquals(clock.armed, 0);
});

Deno.test("PvControl refuses what a guest without PV drivers cannot hear", () => {
  const { params, control, node } = newControl();
  params.set(HVM_PARAM.CALLBACK_IRQ, 0n);
  assertThrows(
    () => control.request("poweroff"),
    UsageError,
    "PV control interface not available: external graceful shutdown not possible",
  );
  assertThrows(() => control.sysrq("h"), UsageError, "PV control interface not available");
  assertEquals(node(), undefined);
});

Deno.test("PvControl.request() refuses what the guest does not say that it does", () => {
  const { store, control, node } = newControl();
  store.write(`${CONTROL}/feature-suspend`, "");
  assertThrows(
    () => control.request("suspend"),
    UsageError,
    'Cannot ask domain 7 for suspend: its control/feature-suspend is ""',
  );
  store.remove(`${CONTROL}/feature-reboot`);
  assertThrows(() => control.request("reboot"), UsageError, "control/feature-reboot is absent");
  assertEquals(node(), undefined);
});

Deno.test("PvControl.isCheckpoint is what was asked for last, and unless asked", () => {
  const { control } = newControl();
  assertEquals(control.isCheckpoint, true);
  control.request("suspend");
  assertEquals(control.isCheckpoint, false);
  control.request("suspend", true);
  assertEquals(control.isCheckpoint, true);
});

Deno.test("PvControl.sysrq() writes the key", () => {
  const { store, control } = newControl();
  control.sysrq("s");
  assertEquals(store.read(`${CONTROL}/sysrq`), "s");
});
