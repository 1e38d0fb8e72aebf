#include <flite/flite.h>
#include <flite/cst_cg.h>

// The voices' libraries export these without a header.
cst_voice *register_cmu_us_kal16(const char *voxdir);
cst_voice *register_cmu_us_awb(const char *voxdir);
cst_voice *register_cmu_us_rms(const char *voxdir);
cst_voice *register_cmu_us_slt(const char *voxdir);

// Changes of phones between words; exported by flite's lexicon without a header.
cst_utterance *cmu_postlex(cst_utterance *u);
