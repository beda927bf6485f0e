use super::*;

#[test]
fn probabilities_are_a_softmax_above_the_minimum() {
    let p = probabilities(&[0.0, 9.0, 0.2_f64.ln(), 0.6_f64.ln()], &[0, 2, 3], 1.0, 0.0);
    for (found, expected) in p.iter().zip([1.0 / 1.8, 0.2 / 1.8, 0.6 / 1.8]) {
        assert!((found - expected).abs() < 1e-12, "{p:?}");
    }
    let p = probabilities(&[0.0, 1000.0, -1000.0], &[0, 1, 2], 0.1, 0.1);
    for (found, expected) in p.iter().zip([0.1, 0.8, 0.1]) {
        assert!((found - expected).abs() < 1e-12, "{p:?}");
    }
    // More than what is uniform cannot be asked for.
    let p = probabilities(&[0.0, 5.0], &[0, 1], 1.0, 0.9);
    assert!(p.iter().all(|p| (p - 0.5).abs() < 1e-12));
}

#[test]
fn draws_follow_the_probabilities() {
    let (mut random, mut counts) = (Random::new(1, 0), [0_u32; 5]);
    for _ in 0..10_000 {
        counts[draw(&[0.5, 0.3, 0.2], &[1, 2, 4], &mut random) as usize] += 1;
    }
    assert_eq!(counts[0] + counts[3], 0);
    // Five standard deviations of a binomial with n = 10,000, p = 0.5, at most 250.
    assert!(counts[1].abs_diff(5000) < 250 && counts[2].abs_diff(3000) < 230, "{counts:?}");
}

#[test]
fn the_better_option_gains() {
    let mut learnt = Scores { scores: vec![vec![0.0; 3]; 2], usual: None };
    let mut random = Random::new(2, 0);
    for _ in 0..600 {
        let drawn = [random.below(3) as u32, random.below(3) as u32];
        // The second option of the first choice halves the loss; the second choice does not matter.
        learnt.learn(&drawn, if drawn[0] == 1 { 1.0 } else { 2.0 }, 0.05);
    }
    let first = probabilities(&learnt.scores[0], &[0, 1, 2], 0.2, 0.05);
    let second = probabilities(&learnt.scores[1], &[0, 1, 2], 0.2, 0.05);
    assert!(first[1] > 0.6, "{first:?}");
    assert!(second.iter().all(|p| *p > 0.25), "{second:?}");
    assert!(entropy(&[first]) < entropy(&[second]));
}

#[test]
fn what_counts_is_the_share_and_no_loss_at_all_is_no_gain() {
    let learn = |usual, loss| {
        let mut learnt = Scores { scores: vec![vec![0.0]], usual: Some(usual) };
        learnt.learn(&[0], loss, 0.5);
        learnt.scores[0][0]
    };
    assert!(
        (learn(2.0, 1.0) - 0.5 / 3.0).abs() < 1e-12 && (learn(0.02, 0.01) - learn(2.0, 1.0)).abs() < 1e-12
    );
    assert!(learn(0.0, 0.0).abs() < 1e-12);
}

#[test]
fn entropy_is_a_share_of_the_uniform_one() {
    assert!((entropy(&[vec![0.25; 4], vec![1.0], vec![0.5; 2]]) - 1.0).abs() < 1e-12);
    assert!(entropy(&[vec![0.0, 1.0]]).abs() < 1e-12);
    assert!((entropy(&[vec![1.0]]) - 1.0).abs() < 1e-12);
}

#[test]
fn what_was_learnt_is_saved_and_restored_exactly() {
    let mut one = Adaptive::new(Settings::default()).unwrap();
    one.learnt = Scores { scores: vec![vec![0.1 + 0.2, -1.0 / 3.0]], usual: Some(2.0_f64.sqrt()) };
    let mut other = Adaptive::new(Settings::default()).unwrap();
    other.load(&one.save().unwrap()).unwrap();
    assert_eq!(one.learnt, other.learnt);
    assert!(other.load(b"{").is_err());
}

#[test]
fn wrong_settings_are_refused() {
    let wrong = [
        Settings { temperature: 0.0, ..Settings::default() },
        Settings { minimum: 1.5, ..Settings::default() },
        Settings { rate: f64::NAN, ..Settings::default() },
    ];
    for (settings, name) in wrong.into_iter().zip(["temperature", "minimum", "rate"]) {
        assert!(Adaptive::new(settings).err().unwrap().text().contains(name));
    }
}
