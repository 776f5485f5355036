#pragma once
/* Blocks of pcapng (draft-ietf-opsawg-pcapng), written into memory that is large enough, in this machine's byte
 * order; and the words in which a packet's comment says what the stack thought of it. */
#include "tapstack/logging.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum block_type {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
};

enum block_option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_SECTION_HARDWARE = 2,
	OPTION_SECTION_OS = 3,
	OPTION_SECTION_APPLICATION = 4,
	OPTION_INTERFACE_NAME = 2,
	OPTION_INTERFACE_DESCRIPTION = 3,
	OPTION_INTERFACE_RESOLUTION = 9,
	OPTION_PACKET_FLAGS = 2,
	OPTION_PACKET_DROPPED = 4, /* between the packet before and this one */
	OPTION_PACKET_ID = 5,
	OPTION_STATISTICS_START = 2,
	OPTION_STATISTICS_END = 3,
	OPTION_STATISTICS_DROPPED = 5,
	OPTION_STATISTICS_ACCEPTED = 6, /* by the filter */
	OPTION_STATISTICS_DELIVERED = 8,
};

struct block {
	uint8_t *start, *at;
};

/* Copied, and filled up with zeros to four bytes. */
static inline void block_bytes(struct block *block, const void *bytes, uint32_t length)
{
	uint32_t padding = -length & 3u;

	if (length > 0)
		memcpy(block->at, bytes, length);
	memset(block->at + length, 0, padding);
	block->at += length + padding;
}

static inline void block_u16(struct block *block, uint16_t value)
{
	memcpy(block->at, &value, sizeof(value));
	block->at += sizeof(value);
}

static inline void block_u32(struct block *block, uint32_t value)
{
	block_bytes(block, &value, sizeof(value));
}

static inline void block_u64(struct block *block, uint64_t value)
{
	block_bytes(block, &value, sizeof(value));
}

/* The upper half first, whatever the byte order. */
static inline void block_time(struct block *block, int64_t ns)
{
	block_u32(block, (uint32_t)((uint64_t)ns >> 32));
	block_u32(block, (uint32_t)(uint64_t)ns);
}

static inline struct block block_begin(uint8_t *memory, uint32_t type)
{
	struct block block = { memory, memory };

	block_u32(&block, type);
	block_u32(&block, 0); /* its length, later */
	return block;
}

/* Returns the length of the whole block. */
static inline uint32_t block_end(struct block *block)
{
	uint32_t length = (uint32_t)(block->at - block->start) + 4;

	block_u32(block, length);
	memcpy(block->start + 4, &length, sizeof(length));
	return length;
}

static inline void block_option(struct block *block, uint16_t code, const void *value, uint16_t length)
{
	block_u16(block, code);
	block_u16(block, length);
	block_bytes(block, value, length);
}

static inline void block_text(struct block *block, uint16_t code, const char *text)
{
	block_option(block, code, text, (uint16_t)strlen(text));
}

static inline void block_option_u32(struct block *block, uint16_t code, uint32_t value)
{
	block_option(block, code, &value, sizeof(value));
}

static inline void block_option_u64(struct block *block, uint16_t code, uint64_t value)
{
	block_option(block, code, &value, sizeof(value));
}

static inline void block_option_time(struct block *block, uint16_t code, int64_t ns)
{
	block_u16(block, code);
	block_u16(block, 8);
	block_time(block, ns);
}

static inline void block_options_end(struct block *block)
{
	block_option(block, OPTION_END, NULL, 0);
}

/* Of a block that is complete. */
static inline uint32_t block_type(const uint8_t *block)
{
	uint32_t type;

	memcpy(&type, block, sizeof(type));
	return type;
}

static inline uint32_t block_length(const uint8_t *block)
{
	uint32_t length;

	memcpy(&length, block + 4, sizeof(length));
	return length;
}

/* One line, cut where `size` ends. */
void pcapng_comment(const struct tapstack_log_packet *packet, char *text, size_t size);
