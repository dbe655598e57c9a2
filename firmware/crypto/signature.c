/* Signatures and hashes over flash contents, with Monocypher's Ed25519 and SHA-512. Compiled only where its source was to
 * be had (firmware/monocypher.ts). Knows COSE's structure of what is signed (RFC 9052, 4.4), not of packages. */
#include <monocypher-ed25519.h>
#include <monocypher.h>
#include "flash.h"
#include "slots.h"

/** Hashes flash contents, page by page through the view. */
static void update_from_flash(crypto_sha512_ctx *hash, uint32_t offset, uint32_t length)
{
    while (length != 0) {
        uint32_t room = (1u << 16) - (offset & 0xffff);
        uint32_t part = length < room ? length : room;
        crypto_sha512_update(hash, rt_flash_view(offset), part);
        offset += part;
        length -= part;
    }
}

void ts_flash_hash(uint32_t offset, uint32_t length, uint8_t hash[TS_HASH_BYTES])
{
    crypto_sha512_ctx context;
    uint8_t digest[64];
    crypto_sha512_init(&context);
    update_from_flash(&context, offset, length);
    crypto_sha512_final(&context, digest);
    for (uint32_t i = 0; i < TS_HASH_BYTES; i++) hash[i] = digest[i];
}

/** Head of the CBOR byte string of the payload, in its shortest form; its length. */
static uint32_t byte_string_head(uint8_t *head, uint32_t length)
{
    uint32_t bytes = length > 0xffff ? 4 : length > 0xff ? 2 : length > 23 ? 1 : 0;
    head[0] = (uint8_t)(0x40 | (bytes == 4 ? 26 : bytes == 2 ? 25 : bytes == 1 ? 24 : length));
    for (uint32_t i = 0; i < bytes; i++) head[1 + i] = (uint8_t)(length >> 8 * (bytes - 1 - i));
    return 1 + bytes;
}

int ts_signature_valid(const uint8_t signature[TS_SIGNATURE_BYTES], const uint8_t public_key[32], uint32_t offset,
                       uint32_t length)
{
    /* ["Signature1", << {1: -8} >>, h'', payload] */
    static const uint8_t structure[] = {0x84, 0x6a, 'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1',
                                        0x43, 0xa1, 0x01, 0x27, 0x40};
    crypto_sha512_ctx context;
    uint8_t digest[64], reduced[32], head[5];
    crypto_sha512_init(&context);
    crypto_sha512_update(&context, signature, 32);
    crypto_sha512_update(&context, public_key, 32);
    crypto_sha512_update(&context, structure, sizeof structure);
    crypto_sha512_update(&context, head, byte_string_head(head, length));
    update_from_flash(&context, offset, length);
    crypto_sha512_final(&context, digest);
    crypto_eddsa_reduce(reduced, digest);
    return crypto_eddsa_check_equation(signature, public_key, reduced) == 0;
}
