#include "core/optimize/hypervolume_improvement.h"

#include "core/optimize/log_expected_improvement.h"

#include <math.h>
#include <stdbool.h>

/* strips with less than this share of their upper end's improvement are empty */
#define THINNEST 1e-13

/* log(e^upper - e^lower) and its derivatives; false where it is empty */
static bool subtract(const LogAcquisition *upper, const LogAcquisition *lower,
                     LogAcquisition *out) {
    const double share = exp(lower->value - upper->value);
    const double rest = 1.0 - share;
    if (!(rest > THINNEST)) {
        return false;
    }
    *out = (LogAcquisition){
        .value = upper->value + log1p(-share),
        .by_mean = (upper->by_mean - share * lower->by_mean) / rest,
        .by_sd = (upper->by_sd - share * lower->by_sd) / rest,
    };
    return true;
}

/* adds one strip to a sum kept as its logarithm, with derivatives weighted by the parts */
static void add_strip(LogHypervolume *sum, const LogAcquisition *first,
                      const LogAcquisition *second) {
    const double value = first->value + second->value;
    const double most = fmax(sum->value, value);
    const double total = most + log(exp(sum->value - most) + exp(value - most));
    const double old = exp(sum->value - total);
    const double added = exp(value - total);
    sum->value = total;
    sum->by_mean[0] = old * sum->by_mean[0] + added * first->by_mean;
    sum->by_sd[0] = old * sum->by_sd[0] + added * first->by_sd;
    sum->by_mean[1] = old * sum->by_mean[1] + added * second->by_mean;
    sum->by_sd[1] = old * sum->by_sd[1] + added * second->by_sd;
}

LogHypervolume log_hypervolume_improvement(const HypervolumeFront *front, const double mean[2],
                                           const double sd[2]) {
    LogHypervolume sum = {.value = -(double)INFINITY};
    LogAcquisition before = {.value = -(double)INFINITY};
    for (size_t i = 0; i <= front->m; i++) {
        const double         end = (i < front->m) ? front->first[i] : front->reference[0];
        const double         top = (i == 0) ? front->reference[1] : front->second[i - 1];
        const LogAcquisition upper = log_expected_improvement(mean[0], sd[0], end);
        const LogAcquisition second = log_expected_improvement(mean[1], sd[1], top);
        LogAcquisition       first;
        if (subtract(&upper, &before, &first)) {
            add_strip(&sum, &first, &second);
        }
        before = upper;
    }
    return sum;
}

static bool is_dominated(const double *first, const double *second, size_t n, size_t i) {
    for (size_t j = 0; j < n; j++) {
        const bool not_worse = first[j] <= first[i] && second[j] <= second[i];
        const bool better = first[j] < first[i] || second[j] < second[i] || j < i;
        if (j != i && not_worse && better) {
            return true;
        }
    }
    return false;
}

size_t hypervolume_front(const double *first, const double *second, size_t n, size_t *order) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_dominated(first, second, n, i)) {
            continue;
        }
        size_t at = count++;
        while (at > 0 && first[order[at - 1]] > first[i]) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return count;
}
