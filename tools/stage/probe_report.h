/* probe_report.h - how good a classifier is on vectors that it has not seen, for people and for programs
 *
 * What     Text: accuracy, cross entropy, calibration error, the sweep, a line for each class, and the pairs
 *          of classes that are mistaken for each other most often (the whole matrix for few classes).
 *          JSON: one object with the same and the whole confusion matrix, rows being the true classes.
 * Units    precision = right / taken for it; recall = right / all of it; calibration error as calibrate.h.
 */
#ifndef UNCLIP_PROBE_REPORT_H
#define UNCLIP_PROBE_REPORT_H

#include "tools/stage/probe_fit.h"

int probe_report(struct span *text, const struct probe_fit *p, bool json, struct arena *a, struct err *e);

#endif
