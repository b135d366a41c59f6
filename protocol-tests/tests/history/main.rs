//! Histories: what several clients of all kinds see of a node that is killed now and then, and a judge who is proved
//! on histories in which one thing is wrong.

mod judge;
mod model;
mod planted;
