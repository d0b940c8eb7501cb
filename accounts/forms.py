"""Forms for accounts in the admin."""

from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm

from accounts.models import User


class UserAddForm(AdminUserCreationForm[User]):
    """Makes an account, with a password or (an adopter, say) without one."""

    class Meta:
        model = User
        fields = ("email", "first_name", "last_name")


class UserEditForm(UserChangeForm[User]):
    """Edits an account."""

    class Meta:
        model = User
        fields = "__all__"
