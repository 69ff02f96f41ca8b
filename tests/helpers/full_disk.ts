/** A file system of the host that is soon full. */

const granted = (["run", "read", "write"] as const).every((name) =>
  Deno.permissions.querySync({ name }).state === "granted"
);

/** The test may mount file systems, as root may. */
export const mayMount: boolean = granted && Deno.build.os === "linux" && tries();

function tries(): boolean {
  try {
    withSmallDisk(4096, () => {});
    return true;
  } catch {
    return false;
  }
}

/** Runs `body` with a folder that takes so many bytes. */
export function withSmallDisk(bytes: number, body: (folder: string) => void): void {
  const { folder, unmount } = mountSmallDisk(bytes);
  try {
    body(folder);
  } finally {
    unmount();
  }
}

/** A folder that takes so many bytes, until it is unmounted. */
export function mountSmallDisk(bytes: number): { folder: string; unmount: () => void } {
  const folder = Deno.makeTempDirSync();
  const unmount = () => {
    command("umount", "--lazy", folder);
    Deno.removeSync(folder);
  };
  try {
    command("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder);
  } catch (error) {
    Deno.removeSync(folder);
    throw error;
  }
  return { folder, unmount };
}

function command(name: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(name, { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
