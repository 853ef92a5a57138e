/** @file pets_sections.h  The layout of a PETS checkpoint, shared by its writer and its reader. */
#ifndef MBRL_AGENTS_PETS_SECTIONS_H
#define MBRL_AGENTS_PETS_SECTIONS_H

#include <stdint.h>

#define PETS_AGENT_MAGIC      "mbtagent"
#define PETS_EXPERIENCE_MAGIC "mbtexper"

enum { PETS_VERSION = 2, PETS_FILE_CAP = 1 << 30, PETS_NAME_SIZE = 40, PETS_TAG_LENGTH = 8 };

/* sections of `agent`, in this order, each exactly once */
#define PETS_TAG_IDENTITY  "identity" /* text: what must be the same to continue */
#define PETS_TAG_STATE     "state..." /* PetsState */
#define PETS_TAG_SHAPE     "shape..." /* doubles: option rows of the model as it is */
#define PETS_TAG_BLOCKS    "blocks.." /* PetsBlock per experience file */
#define PETS_TAG_MODEL     "model..." /* as the model writes itself */
#define PETS_TAG_PLANNER   "planner." /* as the planner writes itself */
#define PETS_TAG_SIMULATOR "simulat." /* doubles of the environment's snapshot */
#define PETS_TAG_BOOTSTRAP "bootstra" /* as the dataset writes its indices */

/** What stands before the bytes of a section. */
typedef struct PetsSection {
    char     tag[PETS_TAG_LENGTH];
    uint64_t length;
} PetsSection;

/** "experience-N" of the block that begins with row N, into PETS_NAME_SIZE bytes. */
void pets__block_name(uint64_t first, char *name);

#endif
