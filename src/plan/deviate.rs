//! Draws that are not uniform: normal deviates and numbers above zero, the same on every machine.

use std::f64::consts::TAU;

use super::seed::Draws;

/// 2^-53: the 53 highest bits of a draw make a number in (0, 1] or [0, 1).
const UNIT: f64 = 1.0 / 9_007_199_254_740_992.0;

/// One normal deviate from two draws (Box and Muller, "A note on the generation of random normal
/// deviates", 1958), with libm's functions because they give the same bits on every machine.
pub(super) fn standard_normal(draws: &mut Draws) -> f64 {
    let above_zero = above_zero(draws);
    let below_one = below_one(draws);
    libm::sqrt(-2.0 * libm::log(above_zero)) * libm::cos(TAU * below_one)
}

/// A number in (0, 1], of one draw.
pub(super) fn above_zero(draws: &mut Draws) -> f64 {
    ((draws.draw() >> 11) + 1) as f64 * UNIT
}

/// A number in [0, 1), of one draw.
pub(super) fn below_one(draws: &mut Draws) -> f64 {
    (draws.draw() >> 11) as f64 * UNIT
}
