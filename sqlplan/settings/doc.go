// Package settings knows the settings of a session: their names, defaults and permitted values, and the knobs of
// vector searches among them, which a statement can also give in hints and option strings.
//
// A Session is a value; nothing here changes it.
package settings
