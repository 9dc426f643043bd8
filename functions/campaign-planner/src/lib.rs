//! campaign-planner
