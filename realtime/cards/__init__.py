"""A board as a picture, for where a link to it is shared.

What is to be seen goes in, a PNG comes out: `views` asks for the standings, `shelf` holds what was drawn and draws one at a time, `picture`
paints, `text` brings names of any script into the order they are seen in, `fonts` knows which font has which character.
"""
