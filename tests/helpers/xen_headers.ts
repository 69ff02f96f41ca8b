/**
 * What a C compiler makes of Xen's public headers: sizes, offsets and constants.
 * @module
 */

import { join } from "@std/path";

/** Architecture that the headers are compiled for, as gcc's option. */
export type Abi = "-m32" | "-m64";

const HEADERS: readonly string[] = [
  "xen",
  "errno",
  "event_channel",
  "grant_table",
  "memory",
  "sched",
  "vcpu",
  "version",
  "features",
  "arch-x86/cpuid",
  "arch-x86/hvm/start_info",
  "hvm/hvm_info_table",
  "hvm/hvm_op",
  "hvm/ioreq",
  "hvm/params",
  "io/blkif",
  "io/protocols",
  "io/xenbus",
  "io/xs_wire",
  "trace",
];

/** The newest interface, and names of Xen's own for error numbers. */
const PROLOGUE = `#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
${HEADERS.map((name) => `#include <xen/${name}.h>`).join("\n")}
`;

/** Says why the compiler cannot build and run programs for an architecture; `undefined`: it can. */
export function compilerFault(abi: Abi): string | undefined {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(join(folder, "a.c"), "#include <stdio.h>\nint main(){return 0;}\n");
    const gcc = new Deno.Command("gcc", { args: [abi, "a.c", "-o", "a"], cwd: folder });
    if (!gcc.outputSync().success) return `gcc ${abi} builds no programs: gcc-multilib has it`;
    return new Deno.Command(join(folder, "a")).outputSync().success
      ? undefined
      : `programs of gcc ${abi} do not run`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/**
 * Values of C expressions.
 * @param include the folder that holds Xen's headers in `xen`
 */
export async function valuesOf(
  expressions: readonly string[],
  abi: Abi,
  include: string,
): Promise<number[]> {
  const folder = await Deno.makeTempDir();
  try {
    const lines = expressions.map((text) => `  printf("%lld\\n", (long long)(${text}));`);
    const program = `${PROLOGUE}int main(void) {\n${lines.join("\n")}\n  return 0;\n}\n`;
    await Deno.writeTextFile(join(folder, "values.c"), program);
    const args = [abi, "-w", "-I", include, "values.c", "-o", "values"];
    await output("gcc", args, folder);
    const text = await output(join(folder, "values"), [], folder);
    return text.trim().split("\n").map(Number);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function output(name: string, args: readonly string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(name, { args: [...args], cwd })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
