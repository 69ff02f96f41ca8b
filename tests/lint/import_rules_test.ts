import { assertEquals } from "@std/assert";
import plugin from "./import_rules.ts";

/** `rule: message` of each finding. */
function lint(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, file, source).map(({ id, message }) =>
    `${id.replace("house/", "")}: ${message}`
  );
}

const imports = (target: string) => `import { x } from "${target}";\nx();\n`;
const typeImports = (target: string) => `import type { X } from "${target}";\nlet x: X;\n`;

const ALLOWED: readonly (readonly [file: string, target: string])[] = [
  ["core/errors.ts", "./types.ts"],
  ["core/ledger.ts", "./clock.ts"],
  ["core/cpu/sem/alu.ts", "../../bits.ts"],
  ["core/cpu/cpu.ts", "./sem/alu.ts"],
  ["core/hypervisor/ioreq.ts", "../types.ts"],
  ["devices/ide/channel.ts", "../disk/timed.ts"],
  ["core/load/elf.ts", "node:fs"],
  ["core/machine/pc.ts", "../../devices/pic.ts"],
  ["core/machine/pc.ts", "../hypervisor/costs.ts"],
  ["core/machine/pc.ts", "../load/image.ts"],
  ["core/report/run.ts", "../machine/config.ts"],
  ["core/report/schema.ts", "zod"],
  ["core/cli/main.ts", "../mod.ts"],
  ["core/cli/main.ts", "commander"],
  ["core/mod.ts", "./cpu/cpu.ts"],
  ["devices/disk/raw.ts", "node:fs"],
  ["tests/core/cpu/alu_test.ts", "../../../devices/pic.ts"],
  ["tests/core/cpu/alu_test.ts", "@std/assert"],
  ["tests/core/cpu/alu_test.ts", "../../../deno.json"],
];

const REFUSED: readonly (readonly [file: string, target: string])[] = [
  ["core/types.ts", "./clock.ts"],
  ["core/cpu/cpu.ts", "../hypervisor/costs.ts"],
  ["core/cpu/cpu.ts", "../../devices/pic.ts"],
  ["core/cpu/cpu.ts", "../machine/config.ts"],
  ["core/hypervisor/hypervisor.ts", "../cpu/state.ts"],
  ["core/hypervisor/hypervisor.ts", "../../devices/bus.ts"],
  ["core/hypervisor/hypervisor.ts", "../clock.ts"],
  ["devices/pit.ts", "../core/clock.ts"],
  ["devices/pit.ts", "../core/cpu/state.ts"],
  ["devices/pit.ts", "../core/machine/config.ts"],
  ["core/machine/pc.ts", "../cli/args.ts"],
  ["core/machine/pc.ts", "../report/run.ts"],
  ["core/machine/pc.ts", "../debug/gdb.ts"],
  ["core/report/run.ts", "../../devices/disk/timed.ts"],
  ["core/report/run.ts", "../machine/machine.ts"],
  ["core/cli/main.ts", "../cpu/cpu.ts"],
  ["core/cli/main.ts", "../../devices/disk/raw.ts"],
  ["core/mod.ts", "../devices/pic.ts"],
  ["core/machine/pc.ts", "../../tests/helpers/ide.ts"],
];

Deno.test("imports accepts what the table allows", () => {
  for (const [file, target] of ALLOWED) assertEquals(lint(file, imports(target)), []);
});

Deno.test("imports refuses every pair that the table leaves out", () => {
  for (const [file, target] of REFUSED) {
    const path = new URL(target, `file:///${file}`).pathname.slice(1);
    const findings = lint(file, imports(target));
    assertEquals(findings.length, 1, `${file} → ${target}`);
    assertEquals(findings[0]!.startsWith(`imports: ${file} may not import ${path}`), true);
  }
});

Deno.test("imports lets report see the types of machine, not its code", () => {
  assertEquals(lint("core/report/run.ts", typeImports("../machine/machine.ts")), []);
  assertEquals(lint("core/report/run.ts", imports("../machine/machine.ts")), [
    "imports: core/report/run.ts may not import core/machine/machine.ts except for its types",
  ]);
  assertEquals(
    lint("core/report/run.ts", `import { type X } from "../machine/machine.ts";\nlet x: X;`),
    [],
  );
});

Deno.test("imports lets the public API name the types of devices", () => {
  const source = `export type { MediaPreset } from "../devices/disk/timed.ts";`;
  assertEquals(lint("core/mod.ts", source), []);
});

Deno.test("imports sees every form of import", () => {
  const forms = [
    `import "../hypervisor/a.ts";`,
    `import type { X } from "../hypervisor/a.ts";`,
    `export * from "../hypervisor/a.ts";`,
    `export { x } from "../hypervisor/a.ts";`,
    `const a = import("../hypervisor/a.ts");`,
    `type X = import("../hypervisor/a.ts").X;`,
  ];
  for (const form of forms) {
    assertEquals(lint("core/cpu/cpu.ts", form), [
      "imports: core/cpu/cpu.ts may not import core/hypervisor/a.ts",
    ], form);
  }
});

Deno.test("imports refuses an import whose target it cannot know", () => {
  assertEquals(lint("core/cpu/cpu.ts", "const a = import(name);"), [
    "imports: import() needs a literal specifier",
  ]);
});

Deno.test("imports refuses packages outside the host's files", () => {
  const files = ["core/cpu/cpu.ts", "core/machine/pc.ts", "core/mod.ts", "devices/disk/timed.ts"];
  for (const file of files) {
    for (const specifier of ["zod", "npm:zod@4.6.7", "node:fs", "jsr:@std/assert"]) {
      assertEquals(lint(file, imports(specifier)).length, 1, `${file} → ${specifier}`);
    }
  }
});

Deno.test("imports wants a row for every file of the tree", () => {
  assertEquals(lint("core/sound/mixer.ts", "export const x = 1;"), [
    "imports: core/sound/mixer.ts is in no row of the import table",
  ]);
  assertEquals(lint("guests/build.ts", imports("node:fs")), []);
});

Deno.test("host refuses Deno and Node globals in the machine", () => {
  for (const source of ["Deno.exit(1);", "process.exit(1);", "globalThis.Deno.exit(1);"]) {
    assertEquals(lint("core/machine/machine.ts", source).length, 1, source);
    assertEquals(lint("core/cli/main.ts", source), []);
  }
  assertEquals(lint("devices/disk/raw.ts", "Deno.exit(1);"), []);
});

Deno.test("determinism refuses host time, chance and await", () => {
  const sources = [
    "f(Date.now());",
    "new Date();",
    "performance.now();",
    "globalThis.performance.now();",
    "Math.random();",
    "setTimeout(f, 1);",
    "queueMicrotask(f);",
    "await f();",
    "async function g() { for await (const x of y) x(); }",
  ];
  for (const source of sources) {
    for (const file of ["core/cpu/cpu.ts", "core/hypervisor/ioreq.ts", "devices/pit.ts"]) {
      assertEquals(lint(file, source).length, 1, `${file}: ${source}`);
    }
    assertEquals(lint("core/machine/machine.ts", source), []);
    assertEquals(lint("devices/disk/aio.ts", source), []);
  }
});

Deno.test("determinism takes no property for a global", () => {
  const source =
    "const o = { Date: 1 };\no.Date;\nclass A { performance = Math.floor(1); }\nnew A();";
  assertEquals(lint("core/cpu/cpu.ts", source), []);
});
