"""Elementary functions of vectors: exp, log and functions built from them.

Each docstring states the precision in units in the last place (ulp), as measured by the tests.
A NaN stays NaN. The polynomials were fitted at Chebyshev nodes with 60 digits. Where a result is
small, its relative precision counts. The reference needs no such file: NumPy has these functions.
"""

from fastnet.native.entry import inner
from fastnet.native.vector import (
    BIASED_DOUBLE,
    BIASED_SINGLE,
    ROUND_DOUBLE,
    ROUND_SINGLE,
    add_exponent,
    exponent_of,
    fma,
    is_float32,
    power_of_two,
    where_greater,
)


@inner
def magnitude(v):
    """|v|."""
    return where_greater(0.0, v, 0.0 - v, v)


@inner
def sign(v):
    """-1, 0 or 1."""
    return where_greater(v, 0.0, 1.0, where_greater(0.0, v, -1.0, v))


@inner
def quotient(v, by, inverse):
    """v / by per lane, rounded as a division is, for many v and one `by`; `inverse` is 1 / by.

    After two corrections by the remainder the quotient is the rounded one (P. Markstein, IBM
    Journal of Research and Development 34, 1990). It takes no turn at the processor's one divider:
    adam is 1.7 times as fast. Where v is infinite, the remainder is NaN, and the product is kept.
    """
    q, minus = v * inverse, 0.0 - by
    q_1 = fma(fma(q, minus, v), inverse, q)
    q_2 = fma(fma(q_1, minus, v), inverse, q_1)
    return where_greater(1.0, q_2 * 0.0, q_2, q)


@inner
def power_ratio(z, factor):
    """a, p and b with 2**(factor z) = a p / b, p a power of two, a and b each to 1 ulp;
    factor z is clamped to +-125 (1020); NaN gives NaN.

    factor z = n + r with n whole and |r| <= 1/2, and p = 2**n. With y = r ln 2 / 2, 2**r is
    (1 + tanh y) / (1 - tanh y), and tanh y = r slope / even to 2.6e-10 (float32) or 1.2e-17
    (float64), rational functions of r that equal it at Chebyshev nodes. Where a quotient is formed
    anyway, as in sigmoid, this takes half the operations of exp and no division of its own.
    """
    limit, shift = (125.0, BIASED_SINGLE) if is_float32(z) else (1020.0, BIASED_DOUBLE)
    limit = limit / abs(factor)
    z = where_greater(z, limit, limit, z)
    z = where_greater(-limit, z, -limit, z)
    shifted = fma(z, factor, shift)
    r = fma(z, factor, shift - shifted)
    s = r * r
    if is_float32(z):
        slope = fma(s, 0.0027716366244181175, 0.34657359009415434)
        even = fma(s, 0.04803496535422283, 1.0)
    else:
        slope = fma(s, 5.287083987433538e-06, 0.004624841170852369)
        slope = fma(slope, s, 0.34657359027997264)
        even = fma(fma(s, 0.00022893359916127378, 0.05338222200402479), s, 1.0)
    return fma(r, slope, even), power_of_two(shifted), fma(-r, slope, even)


@inner
def exp(z, factor):
    """e**(factor z) per lane to 2.1 ulp (float64: 1), factor a power of two or its negative;
    clamped to +-87 (708); NaN gives NaN.

    factor z = n ln 2 + factor r with |factor r| <= ln 2 / 2, ln 2 in two parts of which n times
    the first is exact. e**(factor r) by a polynomial with p(0) = 1 and a relative error of
    9.1e-8 (float32, degree 5, least maximum) or 8.5e-18 (float64, degree 11, interpolation at
    Chebyshev nodes). n is added to the exponent.
    """
    if is_float32(z):
        limit, shift = 87.0, ROUND_SINGLE
        ln2_high, ln2_low = 0.693359375, -2.12194440e-4
    else:
        limit, shift = 708.0, ROUND_DOUBLE
        ln2_high, ln2_low = 0.693145751953125, 1.42860682030941723212e-6
    limit = limit / abs(factor)
    z = where_greater(z, limit, limit, z)
    z = where_greater(-limit, z, -limit, z)
    shifted = fma(z, factor * 1.4426950408889634, shift)
    n = shifted - shift
    r = fma(n, -ln2_low / factor, fma(n, -ln2_high / factor, z))
    if is_float32(z):
        p = fma(r, factor**5 * 0.008290314669417603, factor**4 * 0.041897929319205045)
        p = fma(p, r, factor**3 * 0.16667636195537658)
        p = fma(p, r, factor**2 * 0.4999914953047238)
        p = fma(p, r, factor * 0.9999997071892411)
    else:
        p = fma(r, factor**11 * 2.510520637395701e-08, factor**10 * 2.7626357241447223e-07)
        p = fma(p, r, factor**9 * 2.7557255425746435e-06)
        p = fma(p, r, factor**8 * 2.4801504346997686e-05)
        p = fma(p, r, factor**7 * 0.00019841269874800493)
        p = fma(p, r, factor**6 * 0.0013888888932488599)
        p = fma(p, r, factor**5 * 0.008333333333326141)
        p = fma(p, r, factor**4 * 0.04166666666657314)
        p = fma(p, r, factor**3 * 0.1666666666666667)
        p = fma(p, r, factor**2 * 0.5000000000000006)
        p = fma(p, r, factor * 1.0)
    return add_exponent(fma(p, r, 1.0), shifted)


@inner
def log1p(x):
    """log(1 + x) per lane for x >= 0, float64, 2 ulp; method of fdlibm's s_log1p.c.

    1 + x = 2**e (1 + f); the part of x that 1 + x rounds away comes back as x_lost / (1 + x).
    """
    u = x + 1.0
    return log_of(u, (x - (u - 1.0)) / u)


@inner
def log(x):
    """log x per lane for normal x > 0, float64, 1 ulp; method of fdlibm's e_log.c."""
    return log_of(x, x * 0.0)


@inner
def log_of(u, lost):
    """log u + lost."""
    e = exponent_of(u)
    f = add_exponent(u, ROUND_DOUBLE - e) - 1.0
    s = f / (f + 2.0)
    w = s * s
    series = fma(w, 1.479819860511658591e-01, 1.531383769920937332e-01)
    series = fma(series, w, 1.818357216161805012e-01)
    series = fma(series, w, 2.222219843214978396e-01)
    series = fma(series, w, 2.857142874366239149e-01)
    series = fma(series, w, 3.999999999940941908e-01)
    series = fma(series, w, 6.666666666666735130e-01)
    half = 0.5 * (f * f)
    small = fma(s, fma(series, w, half), fma(e, 1.90821492927058770002e-10, lost))
    return fma(e, 6.93147180369123816490e-01, f - (half - small))


@inner
def expm1(z):
    """e**z - 1 per lane for z <= 1, to 2.2 ulp.

    Computed like exp, but e**r - 1 = r p(r) is not added to 1 (float32: one degree more, 1.3e-8).
    """
    if is_float32(z):
        limit, shift = 87.0, ROUND_SINGLE
        ln2_high, ln2_low = 0.693359375, -2.12194440e-4
    else:
        limit, shift = 708.0, ROUND_DOUBLE
        ln2_high, ln2_low = 0.693145751953125, 1.42860682030941723212e-6
    z = where_greater(-limit, z, -limit, z)
    shifted = fma(z, 1.4426950408889634, shift)
    n = shifted - shift
    r = fma(n, -ln2_low, fma(n, -ln2_high, z))
    if is_float32(z):
        p = fma(r, 0.0013934541928270264, 0.00836986975424596)
        p = fma(p, r, 0.04166645680967788)
        p = fma(p, r, 0.16666498698531396)
        p = fma(p, r, 0.5000000014286223)
        p = fma(p, r, 1.0000000114348138)
    else:
        p = fma(r, 2.510520637395701e-08, 2.7626357241447223e-07)
        p = fma(p, r, 2.7557255425746435e-06)
        p = fma(p, r, 2.4801504346997686e-05)
        p = fma(p, r, 0.00019841269874800493)
        p = fma(p, r, 0.0013888888932488599)
        p = fma(p, r, 0.008333333333326141)
        p = fma(p, r, 0.04166666666657314)
        p = fma(p, r, 0.1666666666666667)
        p = fma(p, r, 0.5000000000000006)
        p = fma(p, r, 1.0)
    power = add_exponent(z * 0.0 + 1.0, shifted)  # 2**n
    return fma(power, p * r, power - 1.0)


@inner
def log1p_below_one(q):
    """log(1 + q) per lane for 0 <= q <= 1, to 2 ulp: 2 artanh(q / (q + 2))."""
    s = q / (q + 2.0)
    w = s * s
    if is_float32(q):
        p = fma(w, 0.23283684279466701, 0.21695019260835285)
        p = fma(p, w, 0.2859304597485878)
        p = fma(p, w, 0.39999693613854664)
        p = fma(p, w, 0.6666666735567979)
    else:
        p = fma(w, 0.16253585564486742, 0.0875831212433233)
        p = fma(p, w, 0.120094183811604)
        p = fma(p, w, 0.13313262601967046)
        p = fma(p, w, 0.15385624086485936)
        p = fma(p, w, 0.1818178750224232)
        p = fma(p, w, 0.2222222275606996)
        p = fma(p, w, 0.2857142856672487)
        p = fma(p, w, 0.4000000000001604)
        p = fma(p, w, 0.6666666666666666)
    return fma(s * w, p, s + s)


@inner
def normal_tail(a):
    """1 - Phi(a) per lane for a >= 0, Phi the normal distribution function, to 7 ulp
    while a < 5 (float64: 4).

    (1 - Phi(a)) e**(a a / 2) (1 + a / 2) is smooth: a polynomial in (a - K) / (a + K), K = 4, to
    a = 13 (float32; 2e-8) or K = 6, to a = 38 (2e-18); both are beyond what the dtype can hold.
    """
    if is_float32(a):
        a = where_greater(a, 13.0, 13.0, a)
        s = (a - 4.0) / (a + 4.0)
        p = fma(s, 1.7859287108377657e-05, 0.00029340641864566047)
        p = fma(p, s, 0.00013438369393934196)
        p = fma(p, s, -0.002278412151106042)
        p = fma(p, s, 0.004728013760230971)
        p = fma(p, s, -0.0006600183736871487)
        p = fma(p, s, -0.021553747478659086)
        p = fma(p, s, 0.06918901032975953)
        p = fma(p, s, -0.1335505985007731)
        p = fma(p, s, 0.28323192850356843)
    else:
        a = where_greater(a, 37.5, 37.5, a)
        s = (a - 6.0) / (a + 6.0)
        p = fma(s, 7.160723541452586e-10, 1.7014899355909493e-09)
        p = fma(p, s, -6.2621199643060766e-09)
        p = fma(p, s, -1.2439138631096433e-08)
        p = fma(p, s, 5.388066595175904e-08)
        p = fma(p, s, 3.099785105282871e-08)
        p = fma(p, s, -4.4285982027099233e-07)
        p = fma(p, s, 5.334743552533551e-07)
        p = fma(p, s, 2.4446028840675074e-06)
        p = fma(p, s, -1.0433769799763896e-05)
        p = fma(p, s, 8.64276747565049e-06)
        p = fma(p, s, 6.59318980448314e-05)
        p = fma(p, s, -0.0003443108673390673)
        p = fma(p, s, 0.0009611016869569219)
        p = fma(p, s, -0.0018209457037798996)
        p = fma(p, s, 0.0022002141107759477)
        p = fma(p, s, -0.00038940012115414914)
        p = fma(p, s, -0.006231036381332354)
        p = fma(p, s, 0.020340817651289592)
        p = fma(p, s, -0.04313971328939645)
        p = fma(p, s, 0.07282145900645025)
        p = fma(p, s, -0.10411104788139484)
        p = fma(p, s, 0.2591172572977874)
    square = a * a
    lost = fma(a, a, 0.0 - square)  # what the square rounds away, if fma rounds once
    return p * fma(lost, -0.5, 1.0) * exp(square, -0.5) / fma(a, 0.5, 1.0)


@inner
def sin(z, quarters):
    """sin(z + quarters pi) per lane, quarters 0 or 0.5 (the cosine): off by at most 1.1 eps while
    |z| < 100; z is clamped to +-1e4 (float32) or +-1e6.

    z = (n - quarters) pi + r with |r| <= pi / 2 and pi in three parts; (-1)**n sin r by an odd
    polynomial (float32: degree 11, 1.1e-10; float64: 19, 2e-21).
    """
    if is_float32(z):
        limit, shift = 1e4, ROUND_SINGLE
        pi_1, pi_2, pi_3 = 3.140625, 0.0009675025939941406, 1.5099580252808664e-07
    else:
        limit, shift = 1e6, ROUND_DOUBLE
        pi_1, pi_2, pi_3 = 3.1415926534682512, 1.2154201012607932e-10, 4.044532497591901e-21
    z = where_greater(z, limit, limit, z)
    z = where_greater(-limit, z, -limit, z)
    n = fma(z, 0.3183098861837907, quarters) + shift - shift
    m = n - quarters
    r = fma(m, -pi_3, fma(m, -pi_2, fma(m, -pi_1, z)))
    w = r * r
    if is_float32(z):
        p = fma(w, -2.407065765302617e-08, 2.7536049708553138e-06)
        p = fma(p, w, -0.00019841081060563884)
        p = fma(p, w, 0.008333332746000505)
        p = fma(p, w, -0.1666666666374001)
    else:
        p = fma(w, -8.00395186685969e-18, 2.8104490805984874e-15)
        p = fma(p, w, -7.647138381112494e-13)
        p = fma(p, w, 1.6059043464982344e-10)
        p = fma(p, w, -2.5052108382236485e-08)
        p = fma(p, w, 2.7557319223970366e-06)
        p = fma(p, w, -0.00019841269841269803)
        p = fma(p, w, 0.008333333333333333)
        p = fma(p, w, -0.16666666666666666)
    odd = n - 2.0 * (n * 0.5 + shift - shift)  # -1, 0 or 1
    return fma(r * w, p, r) * (1.0 - 2.0 * (odd * odd))
