"""Run the estimator checks of scikit-learn."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from kerasnet.preprocessing import InterpolationImputer, OutlierClipper


@parametrize_with_checks(
    [
        InterpolationImputer(),
        OutlierClipper(),
        OutlierClipper("iqr", factor=0.5, action="missing"),
        OutlierClipper("zscore"),
        OutlierClipper("zscore", factor=0.5, action="missing"),
        OutlierClipper("quantile"),
        OutlierClipper("quantile", quantiles=(0.2, 0.7), action="missing"),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)
