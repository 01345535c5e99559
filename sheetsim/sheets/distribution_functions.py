"""Sheet functions of distributions: densities, probabilities and quantiles, by scipy.special."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sheetsim.sheets.function import NUMBERS, Function
from sheetsim.sheets.values import DIV, NUM

_ROOT = np.sqrt(2 * np.pi)


def _special(name: str) -> Callable[..., Any]:
    """A function of scipy.special, which is imported when it is first called."""

    def function(*args: Any) -> Any:
        from scipy import special

        return getattr(special, name)(*args)

    return function


_ndtr, _ndtri, _gammaln, _betaln = (_special(name) for name in ("ndtr", "ndtri", "gammaln", "betaln"))
_stdtr, _stdtrit, _gammainc, _gammaincinv = (_special(n) for n in ("stdtr", "stdtrit", "gammainc", "gammaincinv"))
_betainc, _betaincinv, _chdtrc, _fdtrc = (_special(n) for n in ("betainc", "betaincinv", "chdtrc", "fdtrc"))
_pdtr, _xlogy = _special("pdtr"), _special("xlogy")
_erf, _erfc = _special("erf"), _special("erfc")


def _where(valid: Any, result: Any) -> Any:
    return np.where(valid, result, NUM.nan)


def _inside(p: Any) -> Any:
    return np.greater(p, 0) & np.less(p, 1)


def _either(cumulative: Any, probability: Any, density: Any) -> Any:
    return np.where(np.not_equal(cumulative, 0), probability, density)


def _normal(x: Any, mean: Any, std: Any, cumulative: Any) -> Any:
    z = (x - mean) / std
    return _where(np.greater(std, 0), _either(cumulative, _ndtr(z), np.exp(-z * z / 2) / (_ROOT * std)))


def _normal_inverse(p: Any, mean: Any, std: Any) -> Any:
    return _where(_inside(p) & np.greater(std, 0), mean + std * _ndtri(p))


def _standard(z: Any, cumulative: Any) -> Any:
    return _either(cumulative, _ndtr(z), np.exp(-z * z / 2) / _ROOT)


def _standard_probability(z: Any) -> Any:
    return _ndtr(z)


def _standard_inverse(p: Any) -> Any:
    return _where(_inside(p), _ndtri(p))


def _lognormal(x: Any, mean: Any, std: Any, cumulative: Any) -> Any:
    z = (np.log(x) - mean) / std
    density = np.exp(-z * z / 2) / (_ROOT * std * x)
    return _where(np.greater(x, 0) & np.greater(std, 0), _either(cumulative, _ndtr(z), density))


def _lognormal_probability(x: Any, mean: Any, std: Any) -> Any:
    return _lognormal(x, mean, std, 1.0)


def _lognormal_inverse(p: Any, mean: Any, std: Any) -> Any:
    return _where(_inside(p) & np.greater(std, 0), np.exp(mean + std * _ndtri(p)))


def _t(x: Any, df: Any, cumulative: Any) -> Any:
    df = np.trunc(df)
    log_density = _gammaln((df + 1) / 2) - _gammaln(df / 2) - np.log(df * np.pi) / 2
    log_density = log_density - (df + 1) / 2 * np.log1p(x * x / df)
    return _where(np.greater_equal(df, 1), _either(cumulative, _stdtr(df, x), np.exp(log_density)))


def _t_right(x: Any, df: Any) -> Any:
    df = np.trunc(df)
    return _where(np.greater_equal(df, 1), _stdtr(df, -x))


def _t_two_tails(x: Any, df: Any) -> Any:
    df = np.trunc(df)
    return _where(np.greater_equal(df, 1) & np.greater_equal(x, 0), 2 * _stdtr(df, -x))


def _t_legacy(x: Any, df: Any, tails: Any) -> Any:
    tails, df = np.trunc(tails), np.trunc(df)
    valid = np.greater_equal(df, 1) & np.greater_equal(x, 0) & (np.equal(tails, 1) | np.equal(tails, 2))
    return _where(valid, tails * _stdtr(df, -x))


def _t_inverse(p: Any, df: Any) -> Any:
    df = np.trunc(df)
    return _where(_inside(p) & np.greater_equal(df, 1), _stdtrit(df, p))


def _t_inverse_two_tails(p: Any, df: Any) -> Any:
    df = np.trunc(df)
    return _where(np.greater(p, 0) & np.less_equal(p, 1) & np.greater_equal(df, 1), -_stdtrit(df, p / 2))


def _beta(x: Any, a: Any, b: Any, cumulative: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
    u = (x - low) / (high - low)
    log_density = _xlogy(a - 1, u) + _xlogy(b - 1, 1 - u) - _betaln(a, b)
    density = np.exp(log_density) / (high - low)
    valid = np.greater(a, 0) & np.greater(b, 0) & np.greater_equal(x, low) & np.less_equal(x, high)
    return _where(valid & np.not_equal(low, high), _either(cumulative, _betainc(a, b, np.clip(u, 0, 1)), density))


def _beta_probability(x: Any, a: Any, b: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
    return _beta(x, a, b, 1.0, low, high)


def _beta_inverse(p: Any, a: Any, b: Any, low: Any = 0.0, high: Any = 1.0) -> Any:
    valid = np.greater(p, 0) & np.less_equal(p, 1) & np.greater(a, 0) & np.greater(b, 0)
    return _where(valid, low + (high - low) * _betaincinv(a, b, p))


def _gamma(x: Any, shape: Any, scale: Any, cumulative: Any) -> Any:
    u = x / scale
    density = np.exp(_xlogy(shape - 1, u) - u - _gammaln(shape)) / scale
    valid = np.greater_equal(x, 0) & np.greater(shape, 0) & np.greater(scale, 0)
    return _where(valid, _either(cumulative, _gammainc(shape, np.maximum(u, 0)), density))


def _gamma_inverse(p: Any, shape: Any, scale: Any) -> Any:
    valid = np.greater_equal(p, 0) & np.less(p, 1) & np.greater(shape, 0) & np.greater(scale, 0)
    return _where(valid, scale * _gammaincinv(shape, p))


def _exponential(x: Any, rate: Any, cumulative: Any) -> Any:
    valid = np.greater_equal(x, 0) & np.greater(rate, 0)
    return _where(valid, _either(cumulative, -np.expm1(-rate * x), rate * np.exp(-rate * x)))


def _weibull(x: Any, shape: Any, scale: Any, cumulative: Any) -> Any:
    u = np.power(x / scale, shape)
    density = shape / scale * np.power(x / scale, shape - 1) * np.exp(-u)
    valid = np.greater_equal(x, 0) & np.greater(shape, 0) & np.greater(scale, 0)
    return _where(valid, _either(cumulative, -np.expm1(-u), density))


def _chi_squared(x: Any, df: Any, cumulative: Any) -> Any:
    df = np.trunc(df)
    return _where(np.greater_equal(df, 1), _gamma(x, df / 2, 2.0, cumulative))


def _chi_squared_right(x: Any, df: Any) -> Any:
    df = np.trunc(df)
    return _where(np.greater_equal(x, 0) & np.greater_equal(df, 1), _chdtrc(df, x))


def _chi_squared_inverse(p: Any, df: Any) -> Any:
    df = np.trunc(df)
    return _where(np.greater_equal(df, 1), _gamma_inverse(p, df / 2, 2.0))


def _chi_squared_inverse_right(p: Any, df: Any) -> Any:
    from scipy.special import gammainccinv

    df = np.trunc(df)
    valid = np.greater(p, 0) & np.less_equal(p, 1) & np.greater_equal(df, 1)
    return _where(valid, 2 * gammainccinv(df / 2, p))


def _f(x: Any, d1: Any, d2: Any, cumulative: Any) -> Any:
    d1, d2 = np.trunc(d1), np.trunc(d2)
    u = d1 * x / (d1 * x + d2)
    density = np.exp(
        d1 / 2 * np.log(d1) + d2 / 2 * np.log(d2) + _xlogy(d1 / 2 - 1, x) - (d1 + d2) / 2 * np.log(d2 + d1 * x)
    ) / np.exp(_betaln(d1 / 2, d2 / 2))
    valid = np.greater_equal(x, 0) & np.greater_equal(d1, 1) & np.greater_equal(d2, 1)
    return _where(valid, _either(cumulative, _betainc(d1 / 2, d2 / 2, u), density))


def _f_right(x: Any, d1: Any, d2: Any) -> Any:
    d1, d2 = np.trunc(d1), np.trunc(d2)
    return _where(np.greater_equal(x, 0) & np.greater_equal(d1, 1) & np.greater_equal(d2, 1), _fdtrc(d1, d2, x))


def _f_inverse(p: Any, d1: Any, d2: Any) -> Any:
    d1, d2 = np.trunc(d1), np.trunc(d2)
    u = _betaincinv(d1 / 2, d2 / 2, p)
    valid = np.greater_equal(p, 0) & np.less(p, 1) & np.greater_equal(d1, 1) & np.greater_equal(d2, 1)
    return _where(valid, d2 * u / (d1 * (1 - u)))


def _f_inverse_right(p: Any, d1: Any, d2: Any) -> Any:
    return _where(np.greater(p, 0), _f_inverse(1 - p, d1, d2))


def _binomial(k: Any, n: Any, p: Any, cumulative: Any) -> Any:
    k, n = np.trunc(k), np.trunc(n)
    log_choose = _gammaln(n + 1) - _gammaln(k + 1) - _gammaln(n - k + 1)
    density = np.exp(log_choose + _xlogy(k, p) + _xlogy(n - k, 1 - p))
    # The probability of at most k is the incomplete beta function of n − k and k + 1.
    probability = np.where(np.equal(k, n), 1.0, _betainc(np.maximum(n - k, 1e-300), k + 1, 1 - p))
    valid = np.greater_equal(k, 0) & np.less_equal(k, n) & np.greater_equal(p, 0) & np.less_equal(p, 1)
    return _where(valid, _either(cumulative, probability, density))


def _binomial_inverse(n: Any, p: Any, share: Any) -> Any:
    from scipy.stats import binom

    n = np.trunc(n)
    valid = np.greater_equal(n, 0) & np.greater_equal(p, 0) & np.less_equal(p, 1) & _inside(share)
    return _where(valid, np.maximum(binom.ppf(share, n, p), 0))


def _poisson(k: Any, mean: Any, cumulative: Any) -> Any:
    k = np.trunc(k)
    density = np.exp(_xlogy(k, mean) - mean - _gammaln(k + 1))
    valid = np.greater_equal(k, 0) & np.greater_equal(mean, 0)
    return _where(valid, _either(cumulative, _pdtr(k, mean), density))


def _hypergeometric(k: Any, sample: Any, successes: Any, population: Any, cumulative: Any) -> Any:
    from scipy.stats import hypergeom

    k, n, m, total = (np.trunc(x) for x in (k, sample, successes, population))
    law = hypergeom(total, m, n)
    valid = np.greater_equal(k, 0) & np.less_equal(k, np.minimum(n, m)) & np.less_equal(n, total)
    valid = valid & np.less_equal(m, total) & np.greater_equal(k, n - total + m)
    return _where(valid, _either(cumulative, law.cdf(k), law.pmf(k)))


def _negative_binomial(failures: Any, successes: Any, p: Any, cumulative: Any) -> Any:
    from scipy.stats import nbinom

    f, s = np.trunc(failures), np.trunc(successes)
    law = nbinom(s, p)
    valid = np.greater_equal(f, 0) & np.greater_equal(s, 1) & _inside(p)
    return _where(valid, _either(cumulative, law.cdf(f), law.pmf(f)))


def _standardize(x: Any, mean: Any, std: Any) -> Any:
    return _where(np.greater(std, 0), (x - mean) / std)


def _confidence(alpha: Any, std: Any, size: Any) -> Any:
    size = np.trunc(size)
    valid = _inside(alpha) & np.greater(std, 0) & np.greater_equal(size, 1)
    return _where(valid, -_ndtri(alpha / 2) * std / np.sqrt(size))


def _confidence_t(alpha: Any, std: Any, size: Any) -> Any:
    size = np.trunc(size)
    valid = _inside(alpha) & np.greater(std, 0)
    result = _where(valid, -_stdtrit(size - 1, alpha / 2) * std / np.sqrt(size))
    return np.where(valid & np.equal(size, 1), DIV.nan, result)


def _density(z: Any) -> Any:
    return np.exp(-z * z / 2) / _ROOT


def _from_middle(z: Any) -> Any:
    return _ndtr(z) - 0.5


def _error_function(a: Any, b: Any = None) -> Any:
    return _erf(a) if b is None else _erf(b) - _erf(a)


def _error_function_rest(x: Any) -> Any:
    return _erfc(x)


def _fisher(x: Any) -> Any:
    return _where(np.abs(x) < 1, np.arctanh(x))


_ROWS: tuple[tuple[tuple[str, ...], int, int, Callable[..., Any], str], ...] = (
    (("NORM.DIST", "NORMDIST"), 4, 4, _normal, "the normal distribution"),
    (("NORM.INV", "NORMINV"), 3, 3, _normal_inverse, "its quantile"),
    (("NORM.S.DIST",), 2, 2, _standard, "the standard normal distribution"),
    (("NORMSDIST",), 1, 1, _standard_probability, "the standard normal distribution"),
    (("NORM.S.INV", "NORMSINV"), 1, 1, _standard_inverse, "its quantile"),
    (("LOGNORM.DIST",), 4, 4, _lognormal, "the lognormal distribution"),
    (("LOGNORMDIST",), 3, 3, _lognormal_probability, "the lognormal distribution"),
    (("LOGNORM.INV", "LOGINV"), 3, 3, _lognormal_inverse, "its quantile"),
    (("T.DIST",), 3, 3, _t, "Student's distribution"),
    (("T.DIST.RT",), 2, 2, _t_right, "the probability above x"),
    (("T.DIST.2T",), 2, 2, _t_two_tails, "the probability of both tails"),
    (("TDIST",), 3, 3, _t_legacy, "the probability of one or both tails"),
    (("T.INV",), 2, 2, _t_inverse, "the quantile of Student's distribution"),
    (("T.INV.2T", "TINV"), 2, 2, _t_inverse_two_tails, "that of both tails"),
    (("BETA.DIST",), 4, 6, _beta, "the beta distribution"),
    (("BETADIST",), 3, 5, _beta_probability, "the beta distribution"),
    (("BETA.INV", "BETAINV"), 3, 5, _beta_inverse, "its quantile"),
    (("GAMMA.DIST", "GAMMADIST"), 4, 4, _gamma, "the gamma distribution"),
    (("GAMMA.INV", "GAMMAINV"), 3, 3, _gamma_inverse, "its quantile"),
    (("EXPON.DIST", "EXPONDIST"), 3, 3, _exponential, "the exponential distribution"),
    (("WEIBULL.DIST", "WEIBULL"), 4, 4, _weibull, "the Weibull distribution"),
    (("CHISQ.DIST",), 3, 3, _chi_squared, "the χ² distribution"),
    (("CHISQ.DIST.RT", "CHIDIST"), 2, 2, _chi_squared_right, "the probability above x"),
    (("CHISQ.INV",), 2, 2, _chi_squared_inverse, "its quantile"),
    (("CHISQ.INV.RT", "CHIINV"), 2, 2, _chi_squared_inverse_right, "the quantile from above"),
    (("F.DIST",), 4, 4, _f, "the F distribution"),
    (("F.DIST.RT", "FDIST"), 3, 3, _f_right, "the probability above x"),
    (("F.INV",), 3, 3, _f_inverse, "its quantile"),
    (("F.INV.RT", "FINV"), 3, 3, _f_inverse_right, "the quantile from above"),
    (("BINOM.DIST", "BINOMDIST"), 4, 4, _binomial, "the binomial distribution"),
    (("BINOM.INV", "CRITBINOM"), 3, 3, _binomial_inverse, "its quantile"),
    (("POISSON.DIST", "POISSON"), 3, 3, _poisson, "the Poisson distribution"),
    (("HYPGEOM.DIST",), 5, 5, _hypergeometric, "the hypergeometric distribution"),
    (("NEGBINOM.DIST",), 4, 4, _negative_binomial, "the negative binomial distribution"),
    (("STANDARDIZE",), 3, 3, _standardize, "(x − mean)/std"),
    (("CONFIDENCE", "CONFIDENCE.NORM"), 3, 3, _confidence, "half of a mean's interval, normal"),
    (("CONFIDENCE.T",), 3, 3, _confidence_t, "half of a mean's interval, Student's"),
    (("PHI",), 1, 1, _density, "the standard normal density"),
    (("GAUSS",), 1, 1, _from_middle, "the probability from 0 to z"),
    (("ERF",), 1, 2, _error_function, "the error function"),
    (("ERFC", "ERFC.PRECISE"), 1, 1, _error_function_rest, "1 less the error function"),
    (("FISHER",), 1, 1, _fisher, "Fisher's transformation"),
    (("FISHERINV",), 1, 1, np.tanh, "its inverse"),
)

DISTRIBUTION_FUNCTIONS = tuple(
    Function(name, least, most, NUMBERS, evaluate, words, strict=name.startswith("ERF"))
    for names, least, most, evaluate, words in _ROWS
    for name in names
)
