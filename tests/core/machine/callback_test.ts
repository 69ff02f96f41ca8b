import { assertEquals } from "@std/assert";
import { boot, bootGuest, exitWith } from "../../helpers/small_machine.ts";

// 16-bit code with DS = 0.
const word = (value: number) => [value & 0xff, value >> 8 & 0xff];
const dword = (value: number) => [...word(value), ...word(value >> 16)];
/** mov dword [address], value. */
const store = (at: number, value: number) => [0x66, 0xc7, 0x06, ...word(at), ...dword(value)];
/** Hypercall `eax` with EBX, ECX, EDX. */
const hypercall = (eax: number, ebx: number, ecx: number, edx = 0) => [
  ...[0x66, 0xb8, ...dword(eax), 0x66, 0xbb, ...dword(ebx)],
  ...[0x66, 0xb9, ...dword(ecx), 0x66, 0xba, ...dword(edx), 0x0f, 0x01, 0xc1],
];
const out = (port: number, value: number) => [0xb0, value, 0xe6, port];
const [OUT_F4] = [exitWith(0).slice(2)];

const IRQ_11_VECTOR = 0x73;
const SHARED_SEGMENT = 0x2000;
const COUNT = 0x500;

/** Counts; leaves evtchn_upcall_pending alone but for the third time; ends the interrupt. */
const HANDLER = [
  ...[0xfe, 0x06, ...word(COUNT)], // inc byte [COUNT]
  ...[0x80, 0x3e, ...word(COUNT), 3], // cmp byte [COUNT], 3
  ...[0x75, 6], // jne
  ...[0x26, 0xc6, 0x06, ...word(0), 0], // mov byte es:[0], 0
  ...out(0xa0, 0x20),
  ...out(0x20, 0x20),
  0xcf, // iret
];
const HANDLER_AT = 0x7c03;

/**
 * Takes a timer's event as IRQ 11, and says by its exit code how often.
 * @param high of HVM_PARAM_CALLBACK_IRQ
 */
function guest(low: number, high: number) {
  return bootGuest(
    ...[0xe9, ...word(HANDLER.length)], // jmp over the handler
    ...HANDLER,
    ...[0xb8, ...word(SHARED_SEGMENT), 0x8e, 0xc0], // mov es, ax
    ...store(COUNT, 0),
    ...store(IRQ_11_VECTOR * 4, HANDLER_AT),
    ...out(0xa1, 0x86),
    ...[...store(0x600, 0x7ff0), ...store(0x604, 0), ...store(0x608, 0)],
    ...[...store(0x60c, SHARED_SEGMENT >> 8), ...hypercall(12, 7, 0x600)], // shared_info
    ...[...store(0x620, 0), ...store(0x624, 0), ...hypercall(32, 1, 0x620)], // bind VIRQ_TIMER
    ...[...store(0x640, 0x7ff0), ...store(0x644, 0), ...store(0x648, low), ...store(0x64c, high)],
    ...hypercall(34, 0, 0x640),
    ...[...store(0x660, 1), ...store(0x664, 0), ...store(0x668, 0), ...hypercall(24, 8, 0, 0x660)],
    ...[0xfb, 0xf4], // sti; hlt
    ...[0xa0, ...word(COUNT)], // mov al, [COUNT]
    ...OUT_F4,
  );
}

Deno.test("Machine: INTA of the platform device tells of events until the guest has taken note", () => {
  assertEquals(boot(guest(3 << 11, 0x01000000)).runSlice()!.code, 3 << 1 | 1);
});

Deno.test("Machine: so does a GSI", () => {
  assertEquals(boot(guest(11, 0)).runSlice()!.code, 3 << 1 | 1);
});

Deno.test("Machine: and the same with APICs, by the 8259A behind them", () => {
  const config = { xen: { upcallVector: true } };
  assertEquals(boot(guest(3 << 11, 0x01000000), config).runSlice()!.code, 3 << 1 | 1);
});
