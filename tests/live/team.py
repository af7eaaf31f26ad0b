from life import Life


class TeamLife(Life):
    pass
