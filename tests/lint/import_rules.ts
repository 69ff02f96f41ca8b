/**
 * The house's lint plugin: who may import whom, who may touch the host, and where time and chance
 * come from elsewhere. One table row for each part of the tree.
 *
 * An empty statement (`;` alone) hides the rest of its block from every Deno lint plugin (2.9.6);
 * `deno fmt` removes them.
 * @module
 */

type Zone =
  | "foundation"
  | "time"
  | "cpu"
  | "hypervisor"
  | "devices"
  | "load"
  | "machine"
  | "debug"
  | "report"
  | "mod"
  | "cli"
  | "tests";

interface Row {
  readonly zone: Zone;
  readonly files: RegExp;
  /** Zones its files may import from, besides their own. */
  readonly from: readonly Zone[];
  /** Zones and files it may import types from. */
  readonly typesFrom?: readonly Zone[];
  /** May use npm packages, `node:` modules and `Deno`. */
  readonly host?: true;
  /** Virtual time and a seeded generator are all it may know of time and chance. */
  readonly deterministic?: true;
}

const UP_TO_MACHINE: readonly Zone[] = [
  "foundation",
  "time",
  "cpu",
  "hypervisor",
  "devices",
  "load",
];

const ROWS: readonly Row[] = [
  { zone: "foundation", files: /^core\/(types|bits|errors|version)\.ts$/, from: [] },
  { zone: "time", files: /^core\/(clock|ledger|dom0)\.ts$/, from: ["foundation"] },
  { zone: "cpu", files: /^core\/cpu\//, from: ["foundation"], deterministic: true },
  { zone: "hypervisor", files: /^core\/hypervisor\//, from: ["foundation"], deterministic: true },
  { zone: "devices", files: /^devices\//, from: ["foundation"], deterministic: true },
  { zone: "load", files: /^core\/load\//, from: ["foundation"], host: true },
  { zone: "machine", files: /^core\/machine\//, from: UP_TO_MACHINE },
  {
    zone: "debug",
    files: /^core\/debug\//,
    from: ["foundation"],
    typesFrom: ["machine"],
    host: true,
  },
  {
    zone: "report",
    files: /^core\/report\//,
    from: ["foundation"],
    typesFrom: ["machine"],
    host: true,
  },
  {
    zone: "cli",
    files: /^core\/cli\//,
    from: ["foundation", "load", "machine", "debug", "report", "mod"],
    host: true,
  },
  {
    zone: "mod",
    files: /^core\/mod\.ts$/,
    from: ["foundation", "time", "cpu", "hypervisor", "load", "machine", "debug", "report", "cli"],
    typesFrom: ["devices"],
  },
  {
    zone: "tests",
    files: /^tests\//,
    from: [...UP_TO_MACHINE, "machine", "debug", "report", "mod", "cli"],
    host: true,
  },
];

/** Plain records: data that whoever may see the machine's types may import as values, too. */
const RECORDS = "core/machine/config.ts";
/** Disk backends that reach host files. */
const HOST_DEVICES = /^devices\/disk\/(raw|aio|qcow2)\.ts$/;
/** The one device file that works in the host's time. */
const HOST_TIMED = "devices/disk/aio.ts";

const HOST_GLOBALS: ReadonlySet<string> = new Set(["Deno", "process", "Buffer"]);
const NONDETERMINISTIC_GLOBALS: ReadonlySet<string> = new Set([
  "Date",
  "performance",
  "crypto",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
]);

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

type Report = (node: Deno.lint.Node, message: string) => void;

/** Rules `imports`, `host` and `determinism`. Files outside `core`, `devices`, `tests` are free. */
const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    imports: { create: checkImports },
    host: { create: checkHostGlobals },
    determinism: { create: checkDeterminism },
  },
};
export default plugin;

function checkImports(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const file = repositoryPath(context.filename);
  const report = reporter(context);
  const row = rowOf(file);
  if (row === undefined) {
    if (!/^(core|devices|tests)\//.test(file)) return {};
    return { Program: (node) => report(node, `${file} is in no row of the import table`) };
  }
  const check = (node: Deno.lint.Node, specifier: string, typeOnly: boolean) => {
    const message = violation(row, file, specifier, typeOnly);
    if (message !== undefined) report(node, message);
  };
  return {
    ImportDeclaration: (node) => check(node, node.source.value, isTypeOnly(node)),
    ExportAllDeclaration: (node) => check(node, node.source.value, node.exportKind === "type"),
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) check(node, node.source.value, node.exportKind === "type");
    },
    ImportExpression: (node) => {
      if (node.source.type !== "Literal") report(node, "import() needs a literal specifier");
      else check(node, String(node.source.value), false);
    },
    TSImportType: (node) => {
      const { argument } = node;
      if (argument.type !== "TSLiteralType" || argument.literal.type !== "Literal") return;
      check(node, String(argument.literal.value), true);
    },
  };
}

function checkHostGlobals(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const file = repositoryPath(context.filename);
  const row = rowOf(file);
  if (row === undefined || mayUseHost(row, file)) return {};
  const report = reporter(context);
  return globalUses(HOST_GLOBALS, (node, name) => {
    report(node, `${file} may not use ${name}: only ${hostFiles()} reach the host`);
  });
}

function checkDeterminism(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const file = repositoryPath(context.filename);
  const row = rowOf(file);
  if (row?.deterministic === undefined || file === HOST_TIMED) return {};
  const report = reporter(context);
  const forbid = (node: Deno.lint.Node, what: string) =>
    report(node, `${file} may not use ${what}: time comes from the clock, chance from a seed`);
  return {
    ...globalUses(NONDETERMINISTIC_GLOBALS, forbid),
    AwaitExpression: (node) => forbid(node, "await"),
    ForOfStatement: (node) => {
      if (node.await) forbid(node, "for await");
    },
    MemberExpression: (node) => {
      const { object, property } = node;
      if (object.type !== "Identifier" || object.name !== "Math") return;
      if (property.type === "Identifier" && property.name === "random") forbid(node, "Math.random");
    },
  };
}

function violation(
  row: Row,
  file: string,
  specifier: string,
  typeOnly: boolean,
): string | undefined {
  if (!specifier.startsWith(".")) {
    if (mayUseHost(row, file)) return undefined;
    return `${file} may not import ${specifier}: only ${hostFiles()} use packages`;
  }
  const target = new URL(specifier, `file:///${file}`).pathname.slice(1);
  const zone = rowOf(target)?.zone;
  if (zone === row.zone || (zone !== undefined && row.from.includes(zone))) return undefined;
  const sees = zone !== undefined && row.typesFrom?.includes(zone) === true;
  if (sees && (typeOnly || target === RECORDS)) return undefined;
  if (row.zone === "tests" && zone === undefined) return undefined;
  return `${file} may not import ${target}${sees ? " except for its types" : ""}`;
}

/** Calls `found` where one of the globals is named, as itself or as a property of `globalThis`. */
function globalUses(
  names: ReadonlySet<string>,
  found: (node: Deno.lint.Node, name: string) => void,
): Deno.lint.LintVisitor {
  return {
    Identifier: (node) => {
      if (names.has(node.name) && !isOnlyAName(node)) found(node, node.name);
    },
  };
}

/** The key of a property, of somebody else's object or of one's own, is no use of a global. */
function isOnlyAName(node: Deno.lint.Identifier): boolean {
  const parent: Deno.lint.Node = node.parent;
  switch (parent.type) {
    case "MemberExpression": {
      if (parent.computed || !isSame(parent.property, node)) return false;
      return parent.object.type !== "Identifier" || parent.object.name !== "globalThis";
    }
    case "Property":
      return !parent.computed && !parent.shorthand && isSame(parent.key, node);
    case "PropertyDefinition":
    case "MethodDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return !parent.computed && isSame(parent.key, node);
    default:
      return false;
  }
}

function isSame(a: Deno.lint.Node, b: Deno.lint.Node): boolean {
  return a.range[0] === b.range[0] && a.range[1] === b.range[1];
}

function isTypeOnly(node: Deno.lint.ImportDeclaration): boolean {
  if (node.importKind === "type") return true;
  return node.specifiers.length > 0 &&
    node.specifiers.every((specifier) =>
      specifier.type === "ImportSpecifier" && specifier.importKind === "type"
    );
}

function rowOf(file: string): Row | undefined {
  return ROWS.find((row) => row.files.test(file));
}

function mayUseHost(row: Row, file: string): boolean {
  return row.host === true || HOST_DEVICES.test(file);
}

function hostFiles(): string {
  const zones = ROWS.filter((row) => row.host).map((row) => row.zone);
  return `${zones.join(", ")} and the file-backed disks`;
}

function repositoryPath(filename: string): string {
  return filename.startsWith(ROOT) ? filename.slice(ROOT.length) : filename;
}

function reporter(context: Deno.lint.RuleContext): Report {
  return (node, message) => context.report({ node, message });
}
