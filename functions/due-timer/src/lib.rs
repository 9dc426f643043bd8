//! due-timer
