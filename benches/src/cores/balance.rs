//! How evenly things are spread over places.

/// The fullest place against the mean; 1 is perfect, and as many as there are places is all in one.
#[must_use]
pub fn fullest(places: usize, chosen: impl IntoIterator<Item = usize>) -> f64 {
    let mut load = vec![0u32; places];
    for place in chosen {
        load[place] += 1;
    }
    let all: u32 = load.iter().sum();
    let most = load.iter().max().copied().unwrap_or(0);
    f64::from(most) * places as f64 / f64::from(all.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_is_one_and_all_in_one_place_is_the_number_of_places() {
        assert_eq!(fullest(4, [0, 1, 2, 3]), 1.0);
        assert_eq!(fullest(4, [2, 2, 2]), 4.0);
        assert_eq!(fullest(2, [0, 0, 0, 1]), 1.5);
        assert_eq!(fullest(4, []), 0.0);
    }
}
