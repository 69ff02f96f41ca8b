import { assertEquals } from "@std/assert";
import { reportFailure } from "../../../core/cli/failure.ts";
import { GuestPanic, ImageError, InternalError, UsageError } from "../../../core/errors.ts";

/** A stream that keeps what it is given, or refuses. */
class Collector {
  text = "";
  full = false;

  writeSync(bytes: Uint8Array): number {
    if (this.full) throw new Error("No space left on device (os error 28)");
    this.text += new TextDecoder().decode(bytes);
    return bytes.length;
  }
}

function report(error: unknown, full = false): [code: number, text: string] {
  const stderr = new Collector();
  stderr.full = full;
  const code = reportFailure(error, { stdout: new Collector(), stderr, colour: false });
  return [code, stderr.text];
}

Deno.test("reportFailure() says a user's, a host's and a guest's mistake in a line and a hint", () => {
  assertEquals(report(new UsageError("Cannot a", "b")), [2, "trapring: Cannot a\nhint: b\n"]);
  assertEquals(report(new ImageError("Cannot c")), [1, "trapring: Cannot c\n"]);
  assertEquals(report(new GuestPanic("It ends")), [1, "trapring: It ends\n"]);
});

Deno.test("reportFailure() shows the stack of a mistake of ours, whatever was thrown", () => {
  const [code, text] = report(new InternalError("books"));
  assertEquals([code, text.split("\n", 1)], [70, ["trapring: Internal error: books"]]);
  assertEquals(text.includes("failure_test.ts"), true);
  assertEquals(report("odd")[0], 70);
});

Deno.test("reportFailure() keeps the code when nobody reads what it says", () => {
  assertEquals(report(new Deno.errors.BrokenPipe("Broken pipe")), [130, ""]);
  assertEquals(report(new UsageError("Cannot a"), true), [2, ""]);
  assertEquals(report(new Error("bug"), true), [70, ""]);
});
