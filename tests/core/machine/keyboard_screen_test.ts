import { assertEquals } from "@std/assert";
import type { MachineConfig } from "../../../core/mod.ts";
import { boot, bootGuest, exitWith, flatGuest, outb } from "../../helpers/small_machine.ts";

// deno-fmt-ignore
const SHOW_SCAN_CODES = flatGuest(
  0xbf, 0x00, 0x80, 0x0b, 0x00, // mov edi, 0b8000h
  0xe4, 0x64, // next: in al, 64h
  0xa8, 0x01, // test al, 1
  0x74, 0xfa, // jz next
  0xe4, 0x60, // in al, 60h
  0xaa, 0x47, // stosb, inc edi
  0x3c, 0x9c, // cmp al, 9ch: Enter has been released
  0x75, 0xf2, // jne next
  ...exitWith(1),
);

/** Runs the guest with its last screen. */
async function show(config: Partial<MachineConfig>, text: string) {
  const machine = boot(SHOW_SCAN_CODES, { maxTime: 1e9, ...config });
  machine.input("keyboard", new TextEncoder().encode(text));
  const { reason } = await machine.run();
  return { machine, reason, line: machine.screen()?.lines[0] };
}

Deno.test("Machine.input() types on the keyboard, and screen() shows what the guest writes", async () => {
  const { machine, reason, line } = await show({}, "Hi\r");
  assertEquals([reason, line], ["guest-exit", "*#ú¬↨ù∟£"]); // 2A 23 A3 AA 17 97 1C 9C
  assertEquals(machine.waitingInput("keyboard"), 0);
});

Deno.test("Machine replays keys at the times at which they came", async () => {
  const { machine, line } = await show({}, "again\r");
  const replay = await show({ inputs: machine.inputs }, "");
  assertEquals([replay.line, replay.machine.counters()], [line, machine.counters()]);
});

Deno.test("Machine ends when the guest resets it by the keyboard controller", async () => {
  const machine = boot(flatGuest(...outb(0x64, 0xfe), ...exitWith(1)));
  const { reason, message } = await machine.run();
  assertEquals(reason, "power-off");
  assertEquals(message, "Guest asked for a reset by port 64h: this machine does not start again");
});

Deno.test("Machine loses address line 20 by command DD and gets it back by DF", async () => {
  for (const [command, address] of [[0xdd, 0x500], [0xdf, 0x100500]] as const) {
    // deno-fmt-ignore
    const machine = boot(bootGuest(
      0xb0, command, 0xe6, 0x64, // mov al, command; out 64h, al
      0xb8, 0xff, 0xff, 0x8e, 0xc0, // mov ax, 0ffffh; mov es, ax
      0x26, 0xc6, 0x06, 0x10, 0x05, 0x5a, // mov byte es:[510h], 5ah
      ...exitWith(1),
    ));
    await machine.run();
    assertEquals(machine.memory.read8(address), 0x5a);
  }
});
