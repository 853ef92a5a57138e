/** @file study_folder.h  A study is a directory: its paths, its lock, its frozen study file.
 *
 *     study.yaml  study.db  checkpoints/  logs/  requests/  lock
 */
#ifndef TUNER_STUDY_FOLDER_H
#define TUNER_STUDY_FOLDER_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct StudyFolder {
    char *path;        /* absolute */
    char *study_file;  /* path/study.yaml */
    char *database;    /* path/study.db */
    char *checkpoints; /* path/checkpoints */
    char *logs;        /* path/logs */
    char *requests;    /* path/requests */
    char *snapshot;    /* path/snapshot.db and */
    char *live;        /* path/live.json: for readers, on a network file system */
    char  holder[192]; /* this coordinator, once it has the lock: host, process id, since when */
    bool  network;     /* it lies on one; known once it is locked */
    int   lock;        /* descriptor that holds the lock, or -1 */
} StudyFolder;

/** Fills in the paths of the study folder `path`, which need not exist. */
Status study_folder_init(const char *path, StudyFolder *folder) MUST_USE;
/** Gives lock and memory back; harmless on a zeroed struct. */
void study_folder_reset(StudyFolder *folder);
/** True where `path` lies on a network file system, or MBTUNE_NETWORK_FOLDER=1 says so (0: not). */
bool study_folder_is_network(const char *path);
/** True where a database is: the study was begun. */
bool study_folder_begun(const StudyFolder *folder);
/**
 * Makes the folder and its sub-folders.
 * @return STATUS_OK; STATUS_ERR_STATE if the folder exists, holds something else and no study
 */
Status study_folder_make(const StudyFolder *folder) MUST_USE;
/**
 * Takes the lock: one coordinator at a time; waits for it at most `seconds`. The kernel drops it
 * when the holder dies, whatever the way; the file says who holds it. On a network file system,
 * whose locks may not reach other hosts, a holder there is also known by its live.json, which is
 * watched for 30 s.
 * @return STATUS_OK; STATUS_ERR_STATE with host and process id of the holder
 */
Status study_folder_lock(StudyFolder *folder, double seconds) MUST_USE;
/** Network file systems: STATUS_ERR_INTERRUPTED where another coordinator has written live.json. */
Status study_folder_is_ours(const StudyFolder *folder) MUST_USE;
/** True where a coordinator holds the lock of the study in `path`, or, on a network file system,
 * one on another host shows signs of life. */
bool study_folder_is_locked(const char *path);
/** The same, and who holds it ("host h, process 1") since when (s since 1970). False, and nothing
 * written, where nobody does. */
bool study_folder_holder(const char *path, char *text, size_t size, double *since);
/**
 * mbtune follows no link out of a study's folder: neither study.yaml nor study.db nor requests/ may
 * be one; checkpoints/ and logs/ may, for a larger disk. Whoever is about to write asks; the lock
 * asks by itself.
 * @return STATUS_OK; STATUS_ERR_STATE naming the first that is
 */
Status study_folder_refuse_links(const StudyFolder *folder) MUST_USE;
/** Writes the frozen study file once; STATUS_ERR_STATE if there is one already. */
Status study_folder_freeze(const StudyFolder *folder, const char *text, size_t length) MUST_USE;
/** Path of the checkpoint "SEGMENT.aATTEMPT"; the caller frees it; NULL when memory is out. */
char *study_folder_checkpoint(const StudyFolder *folder, const char *name);

#endif
