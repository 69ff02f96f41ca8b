/**
 * What ACPI's byte code says of the board: a PCI bus with its windows and interrupts, the ISA
 * devices that software does not find by probing, and how to switch off.
 * Source: ACPI 1.0b, §5.6 and §6; identifiers from the Plug and Play BIOS specification, appendix.
 * @module
 */

import { type Aml, eisaId, integer, irq, joined, packageOf, ports, resources } from "./aml.ts";
import { device, dwordWindow, named, scope, WINDOW, wordWindow } from "./aml.ts";
import { IRQ, lineOfPin, PCI_SLOT, PORT } from "./address_map.ts";

/** SLP_TYP of soft-off for both control registers, and two reserved elements. */
const SOFT_OFF: Aml = packageOf(integer(0), integer(0), integer(0), integer(0));

const PCI_DEVICES = 32;
const PCI_PINS = 4;
/** In an address of the routing table: any function of the device. */
const ANY_FUNCTION = 0xffff;
/** The source of an interrupt that no link device routes. */
const HARD_WIRED: Aml = integer(0);
const LAST_BUS = 0xff;
const CONFIG_PORTS = 8;
const PCI_MEMORY = { first: 0x8000_0000, last: 0xfebf_ffff } as const;
const VIDEO_MEMORY = { first: 0xa0000, last: 0xbffff } as const;

/** The byte code of the DSDT, without its header. */
export function dsdtCode(): Uint8Array {
  return Uint8Array.from(joined(named("\\_S5", SOFT_OFF), scope("\\_SB", pciRoot())));
}

function pciRoot(): Aml {
  return device(
    "PCI0",
    named("_HID", eisaId("PNP0A03")),
    named("_ADR", integer(0)),
    named("_UID", integer(0)),
    named("_CRS", rootWindows()),
    named("_PRT", packageOf(...interruptRoutes())),
    isaBridge(),
  );
}

/** All that no ISA device answers first is the bus's, but for the ports of the bridge itself. */
function rootWindows(): Aml {
  const config = PORT.PCI_ADDRESS;
  return resources(
    wordWindow(WINDOW.BUS, 0, LAST_BUS),
    ports(config, CONFIG_PORTS),
    wordWindow(WINDOW.IO, 0, config - 1),
    wordWindow(WINDOW.IO, config + CONFIG_PORTS, 0xffff),
    dwordWindow(WINDOW.MEMORY, VIDEO_MEMORY.first, VIDEO_MEMORY.last),
    dwordWindow(WINDOW.MEMORY, PCI_MEMORY.first, PCI_MEMORY.last),
  );
}

/** The interrupt of every pin of every slot, as the firmware has set the routing registers. */
function interruptRoutes(): Aml[] {
  const routes: Aml[] = [];
  for (let slot = 1; slot < PCI_DEVICES; slot++) {
    const address = integer(slot * 0x10000 + ANY_FUNCTION);
    for (let pin = 0; pin < PCI_PINS; pin++) {
      const line = integer(lineOfPin(slot, pin));
      routes.push(packageOf(address, integer(pin), HARD_WIRED, line));
    }
  }
  return routes;
}

function isaBridge(): Aml {
  const { device: slot, func } = PCI_SLOT.ISA_BRIDGE;
  return device(
    "ISA",
    named("_ADR", integer(slot << 16 | func)),
    isaDevice("RTC", "PNP0B00", ports(PORT.RTC, 2), irq(IRQ.RTC)),
    isaDevice(
      "KBD",
      "PNP0303",
      ports(PORT.KEYBOARD_DATA, 1),
      ports(PORT.KEYBOARD_COMMAND, 1),
      irq(IRQ.KEYBOARD),
    ),
    isaDevice("MOU", "PNP0F13", irq(IRQ.MOUSE)),
    isaDevice("COM1", "PNP0501", ports(PORT.COM1, 8), irq(IRQ.COM1)),
  );
}

function isaDevice(name: string, id: string, ...uses: readonly Aml[]): Aml {
  return device(name, named("_HID", eisaId(id)), named("_CRS", resources(...uses)));
}
