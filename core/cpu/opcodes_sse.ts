/**
 * The opcode table: MMX, SSE and SSE2, by mandatory prefix. Notation: decode.ts. Source: Intel SDM
 * vol. 2 app. A.3.
 * @module
 */
export {};
