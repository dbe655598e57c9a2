/* Bytes that slipmux frames are made of (draft-bormann-t2trg-slipmux). */
#ifndef SLIPMUX_H
#define SLIPMUX_H

enum { END = 0xc0, ESC = 0xdb, ESC_END = 0xdc, ESC_ESC = 0xdd, COAP = 0xa9, NO_BYTE = 0x100 };

#endif
