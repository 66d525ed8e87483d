/* probe_report.h - reports how good a classifier is on vectors that were held out, as text or as JSON
 *
 * What     Text: accuracy, cross entropy, calibration error, the sweep, a line for each class, and the pairs
 *          of classes that are mistaken for each other most often (the whole matrix for few classes).
 *          JSON: one object with the numbers of the text and the whole confusion matrix, whose rows are the true
 *          classes.
 * Units    The precision of a class is the share of right vectors among those that were classified as the class.  The
 *          recall of a class is the share of right vectors among those of the class.  calibrate.h defines the
 *          calibration error.
 */
#ifndef UNCLIP_PROBE_REPORT_H
#define UNCLIP_PROBE_REPORT_H

#include "tools/stage/probe_fit.h"

int probe_report(struct span *text, const struct probe_fit *p, bool json, struct arena *a, struct err *e);

#endif
