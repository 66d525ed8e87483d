/* places.h - where this machine keeps models and vocabularies that other programs have fetched
 */
#ifndef UNCLIP_PLACES_H
#define UNCLIP_PLACES_H

#include "lib/base/arena.h"

/* Returns the directory of the Hugging Face cache: $HF_HUB_CACHE, else hub in $HF_HOME, else huggingface/hub in
 * $XDG_CACHE_HOME or ~/.cache.  Returns NULL if no variable names a directory. */
const char *place_hub(struct arena *a);

/* Returns the directory of the repository OWNER/NAME in the cache `hub`, or NULL if the cache does not hold it. */
const char *place_repository(const char *hub, const char *name, struct arena *a);

/* Returns the path of OpenAI's bpe_simple_vocab_16e6.txt.gz: where `make vocab` puts it, or in a Python package (clip,
 * open_clip).  Returns NULL if none of these places has it. */
const char *place_vocabulary(struct arena *a);

#endif
