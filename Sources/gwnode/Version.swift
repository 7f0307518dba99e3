/// What `gwnode version` prints and nodes tell each other.
package let gwnodeVersion = "0.1.0"
