//! `rate`: as many flipped bits as the law of rare events allows, evenly over bits and positions.
//!
//! Seeds are fixed, so the outcome is too. Critical values: chi-square at 1e-3, exact Poisson
//! interval at 1e-6 (two-sided).

use std::collections::HashSet;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::support::*;

const MIB: usize = 1 << 20;
const SIZE: usize = 256 * MIB;

#[test]
fn the_rate_is_exact_and_even_from_1e_minus_4_to_1e_minus_9() {
    require_fuse!();
    let block = noise(1, MIB);
    let backing = Backing::new().with("file", &block.repeat(SIZE / MIB));
    let hash = tree_hash(backing.path());
    for rate in [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9] {
        let text = format!("[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = {rate:e}\n");
        let setup = Mount::new(backing.path()).scenario(&text).seed(1);
        // A debug build on a busy machine takes a minute for the highest rate.
        let mut mount = setup.within(std::time::Duration::from_secs(500)).start();
        let bits = flipped(&mount, &block);
        let lambda = rate * (SIZE * 8) as f64;
        assert!(
            is_plausible(bits.len(), lambda),
            "{rate}: {} flips, {lambda} expected",
            bits.len()
        );
        assert_even(rate, &bits);
        assert_all_in_ledger(&mount, &bits);
        mount.stop();
    }
    assert_eq!(tree_hash(backing.path()), hash, "the backing directory changed");
}

/// Every flipped bit of the file as the mount gives it.
fn flipped(mount: &Mount, block: &[u8]) -> Vec<(u64, u8)> {
    let file = File::open(mount.join("file")).unwrap();
    let mut bytes = vec![0; MIB];
    let mut bits = Vec::new();
    for start in (0..SIZE as u64).step_by(MIB) {
        file.read_exact_at(&mut bytes, start).unwrap();
        bits.extend(differing_bits(block, &bytes).iter().map(|(byte, bit)| (start + byte, *bit)));
    }
    bits
}

/// Whether the count lies inside the exact two-sided 1e-6 Poisson interval.
fn is_plausible(count: usize, lambda: f64) -> bool {
    let term = |k: f64| (k * lambda.ln() - lambda - libm::lgamma(k + 1.0)).exp();
    let reach = 60 + (20.0 * lambda.sqrt()) as usize;
    let below: f64 = (count.saturating_sub(reach)..=count).map(|k| term(k as f64)).sum();
    let above: f64 = (count..=count + reach).map(|k| term(k as f64)).sum();
    below > 5e-7 && above > 5e-7
}

/// Chi-square over bits of a byte, and over as many positions as have five flips expected each.
fn assert_even(rate: f64, bits: &[(u64, u8)]) {
    let check = |what: &str, bins: usize, critical: f64, bin: &dyn Fn(&(u64, u8)) -> u64| {
        if bits.len() < bins * 5 {
            return;
        }
        let mut counts = vec![0_f64; bins];
        bits.iter().for_each(|bit| counts[bin(bit) as usize] += 1.0);
        let expected = bits.len() as f64 / bins as f64;
        let chi: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        assert!(chi < critical, "{rate}: {what}: chi-square {chi}, critical {critical}");
    };
    check("bit of byte", 8, 24.3, &|(_, bit)| u64::from(*bit));
    check("part of the file", 64, 103.4, &|(byte, _)| byte / (SIZE as u64 / 64));
    check("8-byte word of a block", 512, 615.5, &|(byte, _)| byte % 4096 / 8);
    check("byte of a block", 4096, 4380.0, &|(byte, _)| byte % 4096);
}

/// The ledger names the same bits, no more and no fewer.
fn assert_all_in_ledger(mount: &Mount, bits: &[(u64, u8)]) {
    let events = mount.delivered();
    let recorded: HashSet<_> =
        events.iter().flat_map(|event| &event.bits).map(|bit| (bit.byte, bit.bit)).collect();
    let seen: HashSet<_> = bits.iter().copied().collect();
    assert!(recorded == seen, "{} bits recorded, {} seen", recorded.len(), seen.len());
}

#[test]
fn the_interval_is_that_of_the_tables() {
    for (lambda, low, high) in [(20.0, 3, 45), (50.0, 20, 88), (100.0, 55, 153), (500.0, 395, 613)]
    {
        assert!(is_plausible(low, lambda) && is_plausible(high, lambda));
        assert!(!is_plausible(low - 1, lambda) && !is_plausible(high + 1, lambda));
    }
}
