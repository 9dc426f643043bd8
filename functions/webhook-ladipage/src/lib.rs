//! webhook-ladipage
