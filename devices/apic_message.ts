/**
 * The messages in which APICs send each other interrupts. The low words of the interrupt command
 * register and of an I/O APIC's redirection entry have the same layout, and are the message.
 * Source: Intel SDM vol. 3, §10.6.1 (ICR); Intel 82093AA datasheet, §3.2.4.
 * @module
 */

/** Bits 10:8: what the message does to its receiver. */
export const DELIVERY = {
  FIXED: 0,
  LOWEST_PRIORITY: 1,
  SMI: 2,
  NMI: 4,
  INIT: 5,
  START_UP: 6,
  EXT_INT: 7,
} as const;

/** Other bits of a message, of ICR, of redirection entries and of local vectors. */
export const MESSAGE = {
  VECTOR: 0xff,
  LOGICAL: 0x800,
  LEVEL: 0x8000,
  MASKED: 0x10000,
} as const;

/** Vectors below are exceptions: no interrupt may have them. */
export const FIRST_VECTOR = 16;

/** Delivery mode of a message or local vector. */
export function deliveryOf(message: number): number {
  return message >> 8 & 7;
}

/** The message requests a vector, rather than an NMI or the like. */
export function isFixed(message: number): boolean {
  const mode = deliveryOf(message);
  return mode === DELIVERY.FIXED || mode === DELIVERY.LOWEST_PRIORITY;
}

/** Where messages go. */
export interface MessageBus {
  /**
   * Sends one message.
   * @param destination an APIC's id, or a set of logical ones
   * @returns whether somebody has taken it
   */
  send(message: number, destination: number): boolean;
}
