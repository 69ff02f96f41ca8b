/**
 * The opcode table: x87. Notation: decode.ts. Source: Intel SDM vol. 2 app. A.5.
 * @module
 */

import * as misc from "./misc.ts";
import { sys } from "./opcode_table.ts";

for (let escape = 0xd8; escape <= 0xdf; escape++) sys(escape, "esc", "Ev", misc.escape);
