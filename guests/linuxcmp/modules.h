/* Kernel modules of the initial RAM disk. */
#ifndef MODULES_H
#define MODULES_H

/* Loads what /modules/order lists: one file of that folder a line, parameters behind a blank. */
void modules_load(void);

#endif
