import { assertEquals } from "@std/assert";
import { CodeMap } from "../../../core/cpu/code_map.ts";
import { CodePage, PageHistory } from "../../../core/cpu/code_pages.ts";
import { Decoder } from "../../../core/cpu/decode.ts";
import { CpuState, MODE, RAM_BASE } from "../../../core/cpu/state.ts";

const EIP = 0x1000;

/** A page with `add eax, imm32` at its first byte, dropped `changes` times. */
function pageDropped(changes: number): { readonly page: CodePage; readonly history: PageHistory } {
  const history = new PageHistory();
  history.changes = changes;
  const page = new CodePage(new CodeMap(new CpuState(0x10000)), RAM_BASE, history);
  const code = [0x05, 1, 2, 3, 4];
  const decoder = new Decoder({ byteAt: (eip) => code[eip - EIP] ?? 0x90 }, 0);
  page.mark(0, [decoder.decode(EIP, MODE.CODE32 | MODE.FLAT)], 1);
  return { page, history };
}

Deno.test("CodePage.learn() knows a store that replaces an operand, once", () => {
  const { page } = pageDropped(1);
  assertEquals([page.learn(1, 2), page.learn(0, 4), page.learn(1, 4)], [false, false, true]);
  assertEquals(page.learn(1, 4), false);
});

Deno.test("CodePage.learn() does not count what it was dropped for before it knew the operand", () => {
  for (const [before, after] of [[1, 0], [3, 2], [0, 0]] as const) {
    const { page, history } = pageDropped(before);
    page.learn(1, 4);
    assertEquals(history.changes, after);
  }
});
