"""The command line: parse, call, print. stdout carries data, stderr carries talk."""
