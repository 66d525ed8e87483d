/* places.h - where this machine keeps models and vocabularies that other programs have fetched
 */
#ifndef UNCLIP_PLACES_H
#define UNCLIP_PLACES_H

#include "lib/base/arena.h"

/* Returns the directory of the Hugging Face cache: $HF_HUB_CACHE, else $HF_HOME/hub, else
 * $XDG_CACHE_HOME/huggingface/hub, else $HOME/.cache/huggingface/hub.  A variable that does not hold an absolute path
 * does not count.  Returns NULL if none counts. */
const char *place_hub(struct arena *a);

/* Returns the directory of the repository OWNER/NAME in the cache `hub`, or NULL if the cache does not hold it. */
const char *place_repository(const char *hub, const char *name, struct arena *a);

/* Returns the path of OpenAI's bpe_simple_vocab_16e6.txt.gz, which is either where `make vocab` puts it or in a Python
 * package (clip or open_clip).  Returns NULL if the file is in none of these places. */
const char *place_vocabulary(struct arena *a);

#endif
