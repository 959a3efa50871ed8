//! The store through its public face: real files, real kills.

mod crash;
mod feeds;
mod kit;
mod lists;
mod mail;
mod opening;
mod rows;
mod searching;
mod teamwork;
