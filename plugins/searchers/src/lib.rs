//! Searchers of trained supernets: at random, exhaustively, by evolution (SPOS), for the Pareto front (NSGA-II).
//!
//! What is asked for follows from the history of scores and the round's random numbers alone: a search that was stopped
//! goes on to the same result.

mod evolution;
mod exhaustive;
mod genetic;
mod history;
mod pareto;
mod random;
mod score;
mod sorting;
mod space;

nshot_sdk::plugin!(
    group: "nshot";
    searcher "evolution" => evolution::Evolution,
    searcher "exhaustive" => exhaustive::Exhaustive,
    searcher "pareto" => pareto::Pareto,
    searcher "random" => random::RandomSearch,
);
