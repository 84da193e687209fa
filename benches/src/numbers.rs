//! Order statistics: what is told of many samples.

use serde::{Deserialize, Serialize};

/// Least, quartiles and greatest of samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// A quarter of the samples is not above it.
    pub lower: f64,
    /// Half of the samples is not above it.
    pub median: f64,
    /// Three quarters of the samples are not above it.
    pub upper: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of samples; zero of none.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            min: quantile(&sorted, 0.0),
            lower: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            upper: quantile(&sorted, 0.75),
            max: quantile(&sorted, 1.0),
        }
    }
}

/// The rare and dear operations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tail {
    /// How many operations were timed one by one.
    pub operations: usize,
    /// One in two takes longer.
    pub median: f64,
    /// One in a hundred takes longer.
    pub p99: f64,
    /// One in ten thousand takes longer.
    pub p99_99: f64,
    /// The longest.
    pub max: f64,
}

impl Tail {
    /// The tail of operations that were timed one by one; none if there were none.
    #[must_use]
    pub fn of(mut times: Vec<f64>) -> Option<Self> {
        times.sort_by(f64::total_cmp);
        (!times.is_empty()).then(|| Self {
            operations: times.len(),
            median: quantile(&times, 0.5),
            p99: quantile(&times, 0.99),
            p99_99: quantile(&times, 0.9999),
            max: quantile(&times, 1.0),
        })
    }
}

/// The least sample that a share of `fraction` of all is not above; zero of none.
fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a count of samples, times at most one"
    )]
    let rank = (sorted.len() as f64 * fraction).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// The geometric mean; not a number of none.
#[must_use]
pub fn geometric_mean(values: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of values")]
    let count = values.len() as f64;
    (values.iter().map(|value| value.ln()).sum::<f64>() / count).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_samples_at_their_rank() {
        let spread = Spread::of([5.0, 1.0, 4.0, 2.0, 3.0]);
        let expected = [1.0, 2.0, 3.0, 4.0, 5.0];
        let found = [
            spread.min,
            spread.lower,
            spread.median,
            spread.upper,
            spread.max,
        ];
        assert_eq!(found, expected);
        assert_eq!(Spread::of([]).max, 0.0);
    }

    #[test]
    fn one_dear_operation_in_ten_thousand_is_the_maximum_and_no_more() {
        let mut times = vec![1.0; 9_999];
        times.push(100.0);
        let tail = Tail::of(times).unwrap();
        assert_eq!(
            (tail.median, tail.p99, tail.p99_99, tail.max),
            (1.0, 1.0, 1.0, 100.0)
        );
        let two = [vec![1.0; 9_998], vec![100.0; 2]].concat();
        assert_eq!(Tail::of(two).unwrap().p99_99, 100.0);
        assert_eq!(Tail::of(Vec::new()), None);
    }

    #[test]
    fn a_geometric_mean_treats_half_and_double_alike() {
        assert!((geometric_mean(&[0.5, 2.0]) - 1.0).abs() < 1e-12);
        assert!((geometric_mean(&[8.0]) - 8.0).abs() < 1e-12);
    }
}
