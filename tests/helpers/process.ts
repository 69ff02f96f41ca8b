/**
 * The command line as a child process, in a folder of its own.
 * @module
 */

const ROOT = new URL("../../", import.meta.url).pathname;

const granted: boolean = (["read", "write", "run", "env"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/** What a child left behind. */
export interface ProcessEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A bundled guest, by its path. */
export function guestPath(name: string): string {
  return `${ROOT}guests/bin/${name}.bin`;
}

/** Deno's arguments for one of the two tasks, with the permissions that deno.json gives it. */
export function trapringArguments(args: readonly string[]): string[] {
  const permissions = ["--allow-env=NO_COLOR,TERM", "--allow-read", "--allow-write"];
  const main = `${ROOT}core/cli/main.ts`;
  return ["run", "--no-prompt", "--config", `${ROOT}deno.json`, ...permissions, main, ...args];
}

/** One of the two tasks. */
export function trapring(
  folder: string,
  args: readonly string[],
  stdin: "null" | "piped" = "null",
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: trapringArguments(args),
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin,
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs it to its end. */
export async function runTrapring(folder: string, ...args: string[]): Promise<ProcessEnd> {
  const { code, stdout, stderr } = await trapring(folder, args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A test with a folder that goes away afterwards; ignored without the right to start processes. */
export function processTest(name: string, fn: (folder: string) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !granted,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        await fn(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
