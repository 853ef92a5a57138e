/** @file presets.h  What embed.cmake makes of presets/; for presets.c only. */
#ifndef SEARCH_SPACES_PRESETS_H
#define SEARCH_SPACES_PRESETS_H

/** File names without folder and ending, ends at NULL. */
extern const char *const preset__names[];
/** Their contents in the same order, NUL-terminated. */
extern const char *const preset__texts[];

#endif
